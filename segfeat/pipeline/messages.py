"""What a worker process says about the file it reads: Opened, then Segments, then Closed; or Failed at any point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segfeat.types import Float64, Line


@dataclass(frozen=True, eq=False)
class Opened:
    """The file is a video: its length, its segments (N, 2) in seconds and who reads it."""

    duration_s: float
    spans_s: Float64
    decoder: str


@dataclass(frozen=True, eq=False)
class SegmentItems:
    """One segment, ready for the encoders.

    Attributes
    ----------
    frame_time_s : float64 (F,)
        NaN where no picture could be had.
    items : mapping of modality to what its encoder takes
        Modalities without material are absent.
    text : str
        All words, as the text encoder gets them.
    thumbnail : bytes
        WebP; empty where there is none.
    words : mapping of kind to tuple of Line
        Where they come from, but for the title.
    """

    frame_time_s: Float64
    items: Mapping[str, Any]
    text: str
    thumbnail: bytes
    words: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Memory that the segment takes, about."""
        arrays = sum(item.nbytes for item in self.items.values() if isinstance(item, np.ndarray))
        lines = sum(len(line.text) + 100 for lines in self.words.values() for line in lines)
        return arrays + len(self.text) + len(self.thumbnail) + lines + 500


@dataclass(frozen=True)
class Closed:
    """The end of the video, with what could not be read, and the processor seconds that reading took."""

    problems: tuple[str, ...] = ()
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Failed:
    """No video; ``code`` from `segfeat.failures.FAILURE_CODES`."""

    code: str
    message: str


def unforeseen(path: str, what: str) -> Failed:
    """An error that nobody foresaw, with what can be done about it."""
    return Failed("internal", f"{path}: {what}; extract --retry-failed reads it again, perhaps with another --decoder")


Message = Opened | SegmentItems | Closed | Failed
