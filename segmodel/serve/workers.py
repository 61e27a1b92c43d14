"""Workers: processes that answer on one socket, and are replaced where they die."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType

from segmodel.serve.server import GRACE_S, Listening, bind, serve
from segmodel.serve.service import Service

_LOOK_EVERY_S = 0.5
_AGAIN_S = 5.0
"""So long after a worker began, and not earlier, another one may take its place."""

# A fresh interpreter each: networks and threads of the parent would not survive a fork.
_PROCESSES = multiprocessing.get_context("spawn")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerTask:
    """What every worker does; sent to new processes.

    Attributes
    ----------
    open_service : callable
        Opens run and journal in the process that is to answer.
    keys : sequence of str
    follow : path, optional
    """

    open_service: Callable[[], Service]
    keys: Sequence[str] = ()
    follow: Path | None = None


class _Worker:
    """One process, which says once that it is ready or why it cannot be."""

    def __init__(self, task: WorkerTask, number: int, listening: socket.socket) -> None:
        self.number, self.began_s = number, time.monotonic()
        self.ready, self.reload_due, self.reason = False, False, ""
        self.said, says = _PROCESSES.Pipe(duplex=False)
        # A daemon, so that an error in the parent leaves nobody behind.
        self.process = _PROCESSES.Process(target=_work, args=(task, number, listening, says), daemon=True)
        self.process.start()
        says.close()

    def hear(self) -> None:
        """Take in what the process has said since; a reload that was asked for meanwhile follows at once."""
        if self.ready or self.reason or not self.said.poll():
            return
        try:
            self.reason = self.said.recv()
        except EOFError:
            self.reason = "it ended before it could answer"
        self.ready = not self.reason
        if self.ready and self.reload_due:
            self.reload()

    def reload(self) -> None:
        """Reload the run, once there is one."""
        self.reload_due = not self.ready
        if self.ready and self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGHUP)

    def close(self) -> None:
        """Forget a process that has ended."""
        self.process.join()
        self.said.close()


class Workers:
    """Keeps a number of workers running until it is told to stop; signals reach all of them.

    Parameters
    ----------
    task : WorkerTask
    count : int
    host, port : str, int
    """

    def __init__(self, task: WorkerTask, count: int, host: str, port: int) -> None:
        self._task, self._socket = task, bind(host, port)
        self._stopping = self._reloading = False
        self._workers = [_Worker(task, number, self._socket) for number in range(1, count + 1)]

    def run(self) -> None:
        """Watch over the workers; SIGTERM and SIGINT let them finish what is in flight, SIGHUP reloads every one's run.

        Raises
        ------
        ValueError
            If a worker cannot start in the beginning; says why.
        """

        def stop(number: int, frame: FrameType | None) -> None:
            self._stopping = True

        def reload(number: int, frame: FrameType | None) -> None:
            self._reloading = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, reload)
        try:
            started = False
            while not self._stopping:
                wait([worker.process.sentinel for worker in self._workers], _LOOK_EVERY_S)
                if self._reloading:
                    self._reloading = False
                    for worker in self._workers:
                        worker.reload()
                for worker in self._workers:
                    worker.hear()
                if not started and (failed := [w for w in self._workers if w.reason]):
                    raise ValueError(failed[0].reason)
                started = started or all(worker.ready for worker in self._workers)
                if started and not self._stopping:
                    self._workers = [w if w.process.is_alive() else self._replaced(w) for w in self._workers]
        finally:
            self._stop()

    def _replaced(self, worker: _Worker) -> _Worker:
        worker.hear()
        if time.monotonic() - worker.began_s < _AGAIN_S:
            time.sleep(_LOOK_EVERY_S)  # its sentinel would end every wait at once
            return worker
        said = f": {worker.reason}" if worker.reason else ""
        log.error("worker %d ended with %s%s; another takes its place", worker.number, worker.process.exitcode, said)
        worker.close()
        return _Worker(self._task, worker.number, self._socket)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        until_s = time.monotonic() + GRACE_S + 5
        for worker in self._workers:
            worker.process.join(max(0.0, until_s - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
            worker.close()
        self._socket.close()


def _work(task: WorkerTask, number: int, listening: socket.socket, says: Connection) -> None:
    """What a worker's process does from its beginning to its end."""
    # Ctrl-C reaches the whole group; until there is something to finish, the parent says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        service = task.open_service()
    except (ValueError, OSError) as error:
        says.send(str(error))
        return
    serve(service, Listening(listening, number, lambda: says.send("")), task.keys, task.follow)


def _end_with_parent() -> None:
    """Finish and end once the parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
