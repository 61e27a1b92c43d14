"""What every source of words promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segfeat.decode import VideoReader
from segfeat.types import Float32, Float64, Line

SPEECH_RATE = 16_000
"""Samples a second that recognisers of speech take."""


@dataclass(frozen=True)
class Material:
    """One video, as sources of words see it.

    Attributes
    ----------
    reader : VideoReader
    spans_s : float64 (S, 2)
        Its segments.
    times_s : float64 (S, F)
        Where its pictures are taken.
    title : str
    side_files : tuple of Path
        Subtitle files beside it, best first.
    sound : callable
        The sound of every segment at `SPEECH_RATE`, as `VideoReader.audio` gives it; to be called once.
    note : callable
        Told what could not be read.
    """

    reader: VideoReader
    spans_s: Float64
    times_s: Float64
    title: str
    side_files: tuple[Path, ...]
    sound: Callable[[], Iterator[Float32]]
    note: Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What somebody may choose about all sources: the encoding of subtitle files, and where networks run."""

    subtitle_encoding: str = "auto"
    device: str = "cpu"


class WordSource(Protocol):
    """Finds words of one kind. Picklable and cheap to make; models are loaded when the first video is read.

    Attributes
    ----------
    name : str
        As a user writes it.
    kind : str
        ``title``, ``subtitles``, ``speech`` or ``screen``.
    description : str
        What decides the words besides the video: the name, the model's version and a hash of its weights.
    hears : bool
        Whether it wants the sound.
    """

    name: str
    kind: str
    description: str
    hears: bool

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """The words of every segment, in their order."""
