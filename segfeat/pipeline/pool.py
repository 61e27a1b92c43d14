"""Worker processes that read files ahead of the encoders, watched so that a hang or a crash costs one file.

Sources are handed out in their order and come back in their order. A worker reads one file at a time. What it sends is
held here until the encoders take it, within a bound on memory: beyond it workers wait in their writes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import IO, Any

from segfeat.decode import DECODERS
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.messages import Closed, Failed, Message
from segfeat.pipeline.sources import Source

Task = Callable[[Source], Iterator[Message]]
"""From a source to messages about it; runs in the workers, so it must be picklable."""

AHEAD_BYTES = 16_000_000
"""Material held for the encoders, per worker."""

AHEAD_FILES = 8
"""Files begun or held, per worker; bounds what many tiny files take."""

START_S = 120.0
"""A worker process that is not ready after this long will never be."""

_MAX_FAILED_STARTS = 3

_LAST_WORDS = 2000
"""Bytes of a dead worker's output that are looked at."""

_BOOT = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from segfeat.pipeline.worker import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class _Worker:
    """A process and what it is doing; ``arrival`` is None while it is idle."""

    def __init__(self, task: Task) -> None:
        ours, theirs = Pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        with theirs:
            command = [sys.executable, "-c", _BOOT, str(theirs.fileno()), str(os.getpid()), *sys.path]
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **_ONE_THREAD},
            )
        self.connection: Connection[Any, Any] = ours
        self.ready = False
        self.arrival: Arrival | None = None
        self.seen_s = time.monotonic()
        self.paused = False
        self.connection.send((DECODERS, task))

    def overdue(self, timeout_s: float) -> bool:
        """Whether it has been silent for too long with something to do."""
        silent_s = time.monotonic() - self.seen_s
        if not self.ready:
            return silent_s > START_S
        return self.arrival is not None and not self.paused and silent_s > timeout_s

    def end(self, dying: bool = False) -> tuple[int, str]:
        """Make sure that it has ended: its exit status, and the last line that it wrote.

        One that is dying by itself gets the time to say of what.
        """
        self.connection.close()
        try:
            status = self.process.wait(timeout=2.0 if dying else 0.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        with self._log as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_WORDS))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return status, lines[-1] if lines else ""


class ReaderPool:
    """Reads sources in worker processes; a context manager.

    Parameters
    ----------
    task : picklable callable
        From a source to its messages.
    sources : sequence of Source
    workers : int
        Processes at a time.
    timeout_s : float
        A worker that says nothing for this long while it has something to do is killed, and its file failed.
    """

    def __init__(self, task: Task, sources: Sequence[Source], workers: int, timeout_s: float) -> None:
        self._task, self._timeout_s = task, timeout_s
        self._count = min(workers, len(sources))
        self._waiting = deque(sources)
        self._order: deque[Arrival] = deque()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._stopping = False
        self._awake = False
        self._wake_reader, self._wake_writer = Pipe(duplex=False)
        self._thread = threading.Thread(target=self._supervise, name="segfeat-readers", daemon=True)
        self._thread.start()

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Arrival]:
        """Arrivals in the order of the sources; each must be iterated to its end before the next is asked for.

        Raises
        ------
        ChildProcessError
            If no worker process can be started.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._order or not self._waiting or self._error is not None)
                if self._error is not None:
                    raise self._error
                if not self._order:
                    return
                arrival = self._order[0]
            yield arrival
            with self._changed:
                self._order.popleft()
                self._wake()

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._changed:
            self._stopping = True
            self._wake()
        self._thread.join()
        self._wake_reader.close()
        self._wake_writer.close()

    # The rest runs in the supervising thread, but for _wake.

    def _supervise(self) -> None:
        try:
            while not self._stopping and (self._waiting or any(w.arrival for w in self._workers)):
                while len(self._workers) < min(self._count, self._unfinished()):
                    self._workers.append(_Worker(self._task))
                self._hand_out()
                self._listen()
        except BaseException as error:  # handed to whoever iterates
            with self._changed:
                self._error = error
                for arrival in self._order:
                    arrival.abandon(error)
                self._changed.notify_all()
        finally:
            for worker in self._workers:
                worker.end()

    def _unfinished(self) -> int:
        return len(self._waiting) + sum(worker.arrival is not None for worker in self._workers)

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not (worker.ready and worker.arrival is None and self._waiting):
                continue
            with self._changed:
                held = sum(arrival.held_bytes for arrival in self._order)
                if held >= AHEAD_BYTES * self._count or len(self._order) >= AHEAD_FILES * self._count:
                    return
                worker.arrival = Arrival(self._waiting.popleft(), self._changed, self._wake)
                self._order.append(worker.arrival)
                self._changed.notify_all()
            worker.seen_s, worker.paused = time.monotonic(), False
            try:
                worker.connection.send(worker.arrival.source)
            except OSError:
                continue  # it has died; listening will tell

    def _listen(self) -> None:
        now_s = time.monotonic()
        with self._changed:
            full = sum(arrival.held_bytes for arrival in self._order) >= AHEAD_BYTES * self._count
            for worker in self._workers:
                was, arrival = worker.paused, worker.arrival
                # The file that the encoders wait for always gets on; the others only while there is room.
                worker.paused = arrival is not None and (arrival.full or (full and arrival is not self._order[0]))
                if was and not worker.paused:
                    worker.seen_s = now_s
        by_connection: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers if not worker.paused}
        for ready in wait([self._wake_reader, *by_connection], timeout=min(1.0, self._timeout_s / 4)):
            if ready is self._wake_reader:
                with self._changed:
                    self._wake_reader.recv_bytes()
                    self._awake = False
            else:
                self._hear(by_connection[ready])
        for worker in list(self._workers):
            if worker.overdue(self._timeout_s):
                self._replace(worker, Failed("timeout", f"no progress in {self._timeout_s:g} s"))

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker, None)
            return
        worker.seen_s = time.monotonic()
        if not worker.ready:
            worker.ready, self._failed_starts = True, 0
        elif worker.arrival is not None:
            worker.arrival.add(message)
            if isinstance(message, Closed | Failed):
                worker.arrival = None

    def _replace(self, worker: _Worker, reason: Failed | None) -> None:
        """End a worker that hangs or has died, and fail its file; the loop starts another."""
        self._workers.remove(worker)
        status, words = worker.end(dying=reason is None)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise ChildProcessError(f"decoding processes die as they start: {words or _how(status)}")
        if worker.arrival is not None:
            code, message = ("crashed", _how(status)) if reason is None else (reason.code, reason.message)
            detail = f": {words}" if words else ""
            worker.arrival.add(Failed(code, f"{worker.arrival.source.path}: {message}{detail}"))

    def _wake(self) -> None:
        with self._changed:
            if not self._awake:
                self._awake = True
                self._wake_writer.send_bytes(b".")


def _how(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"the decoding process ended with status {status}"
    name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"the decoding process was killed by {name}{hint}"
