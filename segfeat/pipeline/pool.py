"""Worker processes that read files ahead of the encoders, watched so that a hang or a crash costs one file.

It costs no more than the file's sound and words where these were at fault: a file whose reading ends in any way that
nobody foresaw is read once more without them.

Sources are handed out in their order and come back in their order. A worker reads one file at a time. What it sends is
held here until the encoders take it, within a bound on memory: beyond it workers wait in their writes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Pipe, wait
from types import TracebackType
from typing import Any

from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.messages import Closed, Failed
from segfeat.pipeline.process import DecodeProcess, Task, how_it_ended
from segfeat.pipeline.sources import Source

AHEAD_BYTES = 16_000_000
"""Material held for the encoders, per worker."""

AHEAD_FILES = 8
"""Files begun or held, per worker; bounds what many tiny files take."""

_MAX_FAILED_STARTS = 3


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
        A worker that says nothing for this long, and as long again as its video lasts, while it has something to do is
        killed, and its file failed.
    cores : int, optional
        Workers, and threads inside `core`, that may be busy at once: workers stand still while there are more.
    lasting : bool
        Whether workers stay when all sources are read, as `submit` may bring more.
    """

    def __init__(
        self,
        task: Task,
        sources: Sequence[Source],
        workers: int,
        timeout_s: float,
        cores: int | None = None,
        lasting: bool = False,
    ) -> None:
        self._lasting = lasting
        self._task, self._timeout_s, self._cores = task, timeout_s, cores
        self._taken = 0
        self._count = workers if lasting else min(workers, len(sources))
        self._waiting = deque(sources)
        self._again: deque[Arrival] = deque()
        self._order: deque[Arrival] = deque()
        self._workers: list[DecodeProcess] = []
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

    def submit(self, sources: Sequence[Source]) -> None:
        """More sources, to be iterated over once those before them have been."""
        with self._changed:
            self._waiting.extend(sources)
            self._wake()

    @contextmanager
    def core(self) -> Iterator[None]:
        """Take a core from the workers."""
        with self._changed:
            self._taken += 1
            self._share()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._share()

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._changed:
            self._stopping = True
            self._wake()
        self._thread.join()
        self._wake_reader.close()
        self._wake_writer.close()

    def _share(self) -> None:
        """Let as many workers run as there are cores left, those with the earliest files; called under the lock."""
        if self._cores is None:
            return
        free = self._cores - self._taken
        place = {id(arrival): number for number, arrival in enumerate(self._order)}
        busy = [worker for worker in self._workers if worker.arrival is not None]
        for worker in sorted(busy, key=lambda worker: place[id(worker.arrival)]):
            running = free > 0 and not worker.paused
            worker.run(running)
            free -= int(running)

    # The rest runs in the supervising thread, but for _wake.

    def _supervise(self) -> None:
        try:
            while not self._stopping and (self._lasting or self._unfinished()):
                while len(self._workers) < min(self._count, self._unfinished()):
                    worker = DecodeProcess(self._task)
                    with self._changed:
                        self._workers.append(worker)
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
        return len(self._waiting) + len(self._again) + sum(worker.arrival is not None for worker in self._workers)

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not (worker.ready and worker.arrival is None):
                continue
            with self._changed:
                arrival = self._again.popleft() if self._again else self._next()
                if arrival is None:
                    return
                worker.arrival = arrival
                worker.seen_s, worker.paused = time.monotonic(), False
                self._share()
            try:
                worker.connection.send(arrival.source)
            except OSError:  # it has died before; listening will tell
                worker.arrival = None
                self._again.append(arrival)

    def _next(self) -> Arrival | None:
        """The next file, begun; None where there is none, or no room for more; called under the lock."""
        held = sum(arrival.held_bytes for arrival in self._order)
        full = held >= AHEAD_BYTES * self._count or len(self._order) >= AHEAD_FILES * self._count
        if full or not self._waiting:
            return None
        arrival = Arrival(self._waiting.popleft(), self._changed, self._wake)
        self._order.append(arrival)
        self._changed.notify_all()
        return arrival

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
            self._share()
        by_connection: dict[Any, DecodeProcess] = {
            worker.connection: worker for worker in self._workers if not worker.paused
        }
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

    def _hear(self, worker: DecodeProcess) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker, None)
            return
        worker.seen_s = time.monotonic()
        if not worker.ready:
            worker.ready, self._failed_starts = True, 0
        elif worker.arrival is not None:
            with self._changed:  # in one go: a file that has ended may leave the order at once
                arrival = worker.arrival
                if isinstance(message, Closed | Failed):
                    worker.arrival = None
                    worker.run(True)
                    self._share()
                if isinstance(message, Failed) and message.code == "internal":
                    self._give_up(arrival, message)
                else:
                    arrival.add(message)

    def _replace(self, worker: DecodeProcess, reason: Failed | None) -> None:
        """End a worker that hangs or has died, and give up its file; the loop starts another."""
        with self._changed:
            self._workers.remove(worker)
            self._share()
        status, words = worker.end(dying=reason is None)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise ChildProcessError(f"decoding processes die as they start: {words or how_it_ended(status)}")
        if worker.arrival is not None:
            code, message = ("crashed", how_it_ended(status)) if reason is None else (reason.code, reason.message)
            detail = f": {words}" if words else ""
            self._give_up(worker.arrival, Failed(code, f"{worker.arrival.source.path}: {message}{detail}"))

    def _give_up(self, arrival: Arrival, failed: Failed) -> None:
        """Fail a file; but for the first time have it read once more, without sound and words."""
        with self._changed:
            if arrival.source.pictures_only:
                arrival.add(failed)
            else:
                arrival.read_again(failed.message.removeprefix(f"{arrival.source.path}: "))
                self._again.append(arrival)

    def _wake(self) -> None:
        with self._changed:
            if not self._awake:
                self._awake = True
                self._wake_writer.send_bytes(b".")
