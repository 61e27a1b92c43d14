"""A file on its way from a worker process to the encoders."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from segfeat.pipeline.messages import Closed, Failed, Message, Opened, SegmentItems
from segfeat.pipeline.sources import Source

HOLD_BYTES = 24_000_000
"""A file with more prepared material than this streams instead of being held back until it is complete."""


class Arrival:
    """Iterate over its segments, then look at how it ended.

    A file is released to the encoders when it has been read to its end, or when it is too long to be held: so a short
    file that fails half-way leaves no trace in the batches, and a long one streams.

    A file that could not be read to its end may be read once more without sound and words: what it gave before stays.

    Attributes
    ----------
    source : Source
    opened : Opened or None
        Known before the first segment, and for every file that does not end as Failed.
    end : Closed, Failed or None
        Known when the segments have been iterated.
    held_bytes : int
        Memory of the segments that wait here.
    """

    def __init__(self, source: Source, changed: threading.Condition, drained: Callable[[], None]) -> None:
        self.source = source
        self.opened: Opened | None = None
        self.end: Closed | Failed | None = None
        self.held_bytes = 0
        self._segments: deque[SegmentItems] = deque()
        self._released = False
        self._heard = self._known = 0
        self._lost: tuple[str, ...] = ()
        self._changed, self._drained = changed, drained
        self._error: BaseException | None = None

    @property
    def full(self) -> bool:
        """Whether the encoders should take something before more comes."""
        return self.held_bytes >= HOLD_BYTES

    def add(self, message: Message) -> None:
        """Take what the worker says."""
        with self._changed:
            if isinstance(message, Opened):
                self.opened = self.opened or message
            elif isinstance(message, SegmentItems):
                self._heard += 1
                if self._known < self._heard <= self._length:
                    self._segments.append(message)
                    self.held_bytes += message.size_bytes
                    self._released = self._released or self.full
            else:
                if isinstance(message, Failed):
                    self._segments.clear()
                    self.held_bytes = 0
                    if self._lost:
                        message = replace(message, message=f"{message.message} (also without its sound and words)")
                else:
                    message = replace(message, problems=(*self._lost, *message.problems))
                self.end = message
                self._released = True
            self._changed.notify_all()

    def read_again(self, reason: str) -> None:
        """The file will be read once more, from its beginning, without the sound and words that may have been at fault.

        Segments that it gave already are not taken a second time.
        """
        with self._changed:
            self.source = replace(self.source, pictures_only=True)
            since = ""
            if self._heard and self.opened is not None:
                since = f" after {self.opened.spans_s[self._heard - 1, 1]:g} s"
            self._lost = (f"sound and words{since} are left out, as reading them failed: {reason}",)
            self._known, self._heard = self._heard, 0

    @property
    def _length(self) -> int:
        """Segments that the file has; a file that grows between two readings has no more than before."""
        return len(self.opened.spans_s) if self.opened is not None else self._heard

    def abandon(self, error: BaseException) -> None:
        """Nothing more will come, by no fault of the file: whoever waits gets the error."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def __iter__(self) -> Iterator[SegmentItems]:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._error is not None or (self._released and (self._segments or self.end is not None))
                )
                if self._error is not None:
                    raise self._error
                if not self._segments:
                    return
                segment = self._segments.popleft()
                self.held_bytes -= segment.size_bytes
                self._drained()
            yield segment
