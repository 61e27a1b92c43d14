"""What worker processes are told to do in tests; they import it from here, so it stands alone."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segfeat.decode.base import Cue, DecodeError, Frame, MediaInfo
from segfeat.decode.pyav import PyAVReader
from segfeat.encoders.registry import ParsedSpec
from segfeat.pipeline.messages import Closed, Message, Opened, SegmentItems
from segfeat.pipeline.sources import Source
from segfeat.types import Clip, EncoderSpec, Float32, Float64, Line
from segfeat.words.base import Material, Options


def trouble(name: str) -> None:
    """Do what the name says: hang, hold (hang and let no other thread run), crash, leave, fail, eat; or nothing."""
    if "hang" in name:
        time.sleep(1000)
    elif "hold" in name:
        ctypes.PyDLL(None).sleep(1000)
    elif "crash" in name:
        os.write(2, b"something broke\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    elif "leave" in name:
        os._exit(7)
    elif "fail" in name:
        raise RuntimeError("no such thing")
    elif "eat" in name:
        raise MemoryError
    elif "slow" in name:
        time.sleep(0.3)


def segments_of(source: Source, count: int, size_bytes: int = 4) -> Iterator[Message]:
    """A made-up video of very short segments: a reader may be silent for as long as its video lasts, and longer."""
    ends_s = np.arange(count + 1) / 1000
    yield Opened(count / 1000, np.stack([ends_s[:-1], ends_s[1:]], axis=1), "made-up")
    for k in range(count):
        yield SegmentItems(np.zeros(1), {"visual": np.full(size_bytes // 4, k, np.float32)}, f"{source.path} {k}", b"")
    yield Closed()


def tell(source: Source) -> Iterator[Message]:
    """Three segments; names with a number first have trouble after so many of them."""
    when, _, what = source.path.partition("-")
    for number, message in enumerate(segments_of(source, 3)):
        if number == (1 + int(when) if when.isdigit() else 0):
            trouble(what or source.path)
        yield message


def long_tell(source: Source) -> Iterator[Message]:
    """A hundred segments of a megabyte each."""
    yield from segments_of(source, 100, 1_000_000)


def who(source: Source) -> Iterator[Message]:
    """One segment with the process id, the modules and the threads that it would use."""
    import sys

    words = " ".join([str(os.getpid()), os.environ["OMP_NUM_THREADS"], *(n for n in sys.modules if "." not in n)])
    yield Opened(1.0, np.array([[0.0, 1.0]]), "made-up")
    yield SegmentItems(np.zeros(1), {}, words, b"")
    yield Closed()


_ALIVE: set[int] = set()


class _Ring:
    """Refers to itself, as PyAV's containers do, and says when it goes."""

    def __init__(self) -> None:
        self.itself = self
        _ALIVE.add(id(self))

    def __del__(self) -> None:
        _ALIVE.discard(id(self))


def hoard(source: Source) -> Iterator[Message]:
    """One segment that says how many rings of earlier files are still there; leaves one more."""
    yield Opened(1.0, np.array([[0.0, 1.0]]), "made-up")
    yield SegmentItems(np.zeros(1), {}, str(len(_ALIVE)), b"")
    _Ring()
    yield Closed()


class TroubledReader(PyAVReader):
    """Reads well, but has trouble with files whose names say so, as they open or (``late``) at the second picture.

    With ``sound`` in the name it is the sound that brings trouble, at once or (``late``) at the fourth span, with
    ``cues`` the embedded words; with ``header`` merely asking for either does, unless the pictures alone are wanted.
    """

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        if not {"late", "sound", "cues"} & set(path.stem.split("-")) and not ("header" in path.stem and pictures_only):
            trouble(path.stem)
        if "refused" in path.stem:
            raise DecodeError("decoder_refused", f"{path}: it would get this file wrong")
        super().__init__(path, pictures_only)
        if "endless" in path.stem:
            self.info = replace(self.info, duration_s=1e6)

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """See `VideoReader.audio`."""
        for number, waveform in enumerate(super().audio(spans_s, sample_rate)):
            if self.info.has_audio and "sound" in self.path.stem and number == 3 * ("late" in self.path.stem):
                trouble(self.path.stem)
            yield waveform

    def cues(self) -> list[Cue]:
        """See `VideoReader.cues`."""
        if self.info.has_subtitles and "cues" in self.path.stem:
            trouble(self.path.stem)
        return super().cues()

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """See `VideoReader.frames`."""
        for number, frame in enumerate(super().frames(times_s, short_side)):
            if number == 1 and "late" in self.path.stem and "sound" not in self.path.stem:
                trouble(self.path.stem)
            if "alter" in self.path.stem:
                os.utime(self.path, ns=(1, 1))
            if "vanish" in self.path.stem:
                self.path.unlink()
            yield frame


@dataclass(frozen=True)
class Brightness:
    """A preparer: the mean of a clip's pictures."""

    def __call__(self, clip: Clip) -> np.float32 | None:
        return np.float32(clip.frames.mean()) if len(clip.frames) else None


class Nosy:
    """An encoder whose vectors tell which batch they were computed in: a worst case of rounding."""

    frame_size: int | None = 64
    sample_rate: int | None = None
    batch_size = 5

    def __init__(self, parsed: ParsedSpec, device: object) -> None:
        self.preparer = Brightness()
        self.spec = EncoderSpec(parsed.text, "visual", 3, "nosy", "random", "own, sum, place")

    def encode(self, items: Sequence[np.float32]) -> Float32:
        """Each item, the sum of its batch, and its place in it."""
        time.sleep(0.01 * (len(items) % 3))
        return np.array([[item, np.sum(items), place] for place, item in enumerate(items)], np.float32)


class TroubledWords:
    """A source of words that has trouble with the fourth segment of files whose names say so."""

    kind, hears = "screen", False

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.name = self.description = name

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`."""
        path = material.reader.path  # type: ignore[attr-defined]  # of a PyAVReader
        for number, (start_s, end_s) in enumerate(material.spans_s.tolist()):
            if number == 3:
                trouble(path.stem)
            yield (Line(start_s, end_s, f"shown {number}"),)


class AbsentReader(PyAVReader):
    """Needs a library that is not there."""

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        raise DecodeError("decoder_missing", f"{path}: the library is not installed; use the decoder auto")


class Glaring(Nosy):
    """An encoder that bright pictures are too much for."""

    def encode(self, items: Sequence[np.float32]) -> Float32:
        """NaN for bright pictures."""
        return np.array([[np.nan if item > 170 else item] * 3 for item in items], np.float32)


class EndlessReader(PyAVReader):
    """Claims that every video lasts a million seconds."""

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        super().__init__(path, pictures_only)
        self.info = replace(self.info, duration_s=1e6)


def grow(source: Source) -> Iterator[Message]:
    """Three segments, of which the third fails; five when it is read again."""
    for number, message in enumerate(segments_of(source, 5 if source.pictures_only else 3)):
        if number == 3 and not source.pictures_only:
            raise RuntimeError("no such thing")
        name = "second" if source.pictures_only else "first"
        yield replace(message, text=f"{name} {number - 1}") if isinstance(message, SegmentItems) else message


class _Mine:
    """Refers to itself, and has trouble as it goes."""

    def __init__(self, name: str) -> None:
        self.itself, self.name = self, name

    def __del__(self) -> None:
        trouble(self.name)


def leave_behind(source: Source) -> Iterator[Message]:
    """One segment; names of trouble mean trouble when the memory is cleaned up."""
    _Mine(source.path)
    yield from segments_of(source, 1)


class BlankReader:
    """A black picture of one second, whatever the file holds."""

    name = "blank"

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        self.problems: list[str] = []
        self.info = MediaInfo(1.0, 8, 8, 0, "none", 25.0, False, "", 0, False)

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """See `VideoReader.frames`."""
        yield from [Frame(0.0, np.zeros((8, 8, 3), np.uint8))] * len(times_s)

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """See `VideoReader.audio`."""
        yield from [np.zeros(0, np.float32)] * len(spans_s)

    def cues(self) -> list[Cue]:
        """See `VideoReader.cues`."""
        return []

    def close(self) -> None:
        """See `VideoReader.close`."""
