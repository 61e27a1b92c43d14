"""One line that says how far an extraction is; plain lines where nobody watches."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from segmodel.countdown import clock

if TYPE_CHECKING:
    from segfeat.pipeline.progress import Progress

_TERMINAL_EVERY_S, _PLAIN_EVERY_S = 0.2, 10.0


def plural(count: int, noun: str) -> str:
    """A count with its noun, such as "1 video" or "2,000 videos"."""
    return f"{count:,} {noun}" + "s" * (count != 1)


class ProgressLine:
    """Prints progress on stderr: a line that is written over on a terminal, else a new line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._printed_s = 0.0
        self._width = 0
        self._said_stopping = self._finished = False

    def __call__(self, progress: Progress) -> None:
        if progress.stopping and not self._said_stopping:
            self._said_stopping = True
            self._print("stopping: finishing the shard in work; press Ctrl-C again to stop at once", lasting=True)
        now_s = time.monotonic()
        every_s = _TERMINAL_EVERY_S if self._terminal else _PLAIN_EVERY_S
        finished = progress.videos_done == progress.videos_total
        if (finished and not self._finished) or now_s - self._printed_s >= every_s:
            self._printed_s, self._finished = now_s, finished
            self._print(_line(progress), lasting=not self._terminal)

    def close(self) -> None:
        """Leave the last line standing."""
        if self._terminal and self._width:
            click.echo(err=True)
            self._width = 0

    def _print(self, line: str, lasting: bool) -> None:
        if self._terminal:
            click.echo("\r" + line.ljust(self._width), err=True, nl=lasting)
            self._width = 0 if lasting else len(line)
        else:
            click.echo(line, err=True)


def _line(progress: Progress) -> str:
    failed = sum(progress.failures.values())
    parts = [
        f"{progress.videos_done:,}/{progress.videos_total:,} videos",
        f"{progress.videos_per_s:.1f} videos/s",
        f"{progress.segments_per_s:.1f} segments/s",
        f"{failed:,} failed",
    ]
    if progress.actors:
        parts[:0] = [f"{progress.shards_done:,}/{progress.shards_total:,} shards", plural(progress.actors, "actor")]
    if progress.remaining_s is not None:
        parts.append(f"{clock(progress.remaining_s)} to go")
    return ", ".join(parts)
