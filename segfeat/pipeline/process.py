"""One decode process as its parent sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import IO, Any

from segfeat.decode import DECODERS
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.messages import Message
from segfeat.pipeline.sources import Source

Task = Callable[[Source], Iterator[Message]]
"""From a source to messages about it; runs in decode processes, so it must be picklable."""

START_S = 120.0
"""A worker process that is not ready after this long will never be."""

_LAST_WORDS = 2000
"""Bytes of a dead worker's output that are looked at."""

_BOOT = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from segfeat.pipeline.worker import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class DecodeProcess:
    """A decode process, and what it is doing.

    Attributes
    ----------
    connection : Connection
        To talk with it.
    ready : bool
        Whether it has started.
    arrival : Arrival or None
        The file that it reads; None while it is idle.
    paused : bool
        Whether nobody listens to it for the time being.
    seen_s : float
        When it last gave a sign of life; moves on while it may not give one.
    """

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
        self._stopped_s: float | None = None
        # One that died as it started is found dead, with its last words, when its parent next looks.
        with suppress(BrokenPipeError):
            self.connection.send((DECODERS, task))

    def run(self, on: bool) -> None:
        """Let it go on, or have it stand still: it takes no core then, and its time does not run."""
        if on == (self._stopped_s is None):
            return
        if on:
            self.seen_s += time.monotonic() - (self._stopped_s or 0.0)
            self._stopped_s = None
        else:
            self._stopped_s = time.monotonic()
        self.process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

    def overdue(self, timeout_s: float) -> bool:
        """Whether it has been silent for too long with something to do.

        Before the first picture of a damaged file all of it may have to be decoded: that takes less than it lasts.
        """
        silent_s = time.monotonic() - self.seen_s
        if not self.ready:
            return silent_s > START_S
        if self.arrival is None or self.paused or self._stopped_s is not None:
            return False
        length_s = self.arrival.opened.duration_s if self.arrival.opened is not None else 0.0
        return silent_s > timeout_s + length_s

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


def how_it_ended(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"the decoding process ended with status {status}"
    name = signal.Signals(-status).name if -status in signal.valid_signals() else f"signal {-status}"
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"the decoding process was killed by {name}{hint}"
