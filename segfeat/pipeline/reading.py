"""Reading one file into what the encoders take: the work of a decode process. Imports no torch."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat, tee
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.decode import DecodeError, MediaInfo, VideoReader, open_video
from segfeat.decode.base import Frame
from segfeat.pipeline.messages import Closed, Failed, Message, Opened, SegmentItems
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.sources import Source
from segfeat.segment import frame_times, segment_spans
from segfeat.types import Clip, Float32, Float64, Line, UInt8
from segfeat.words import Material, WordSource
from segfeat.words.base import SPEECH_RATE
from segfeat.words.text import joined

THUMBNAIL_SIDE = 160
"""Shorter side of a thumbnail in pixels."""

MAX_DURATION_S = 48 * 3600.0
"""A file that is said to last longer has broken timestamps; it would fill the disk with copies of one picture."""

_WEBP = {"quality": 70, "method": 1}

_NO_SOUND: Float32 = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Reading:
    """The task of a decode process: read a source, segment by segment, in bounded memory.

    Attributes
    ----------
    settings : Settings
    preparers : mapping of modality to callable
        From a Clip to what the modality's encoder takes, or None where the segment has no such material.
    short_side : int or None
        Scale pictures to this shorter side; None: nobody looks at pictures.
    sample_rate : int
        Samples a second of the sound; 0: nobody listens.
    sources : sequence of WordSource
    """

    settings: Settings
    preparers: Mapping[str, Callable[[Clip], Any]]
    short_side: int | None
    sample_rate: int
    sources: Sequence[WordSource] = ()

    def __call__(self, source: Source) -> Iterator[Message]:
        """Messages about one source; what goes wrong with the file is a message, not an exception."""
        if (refused := _refused(source)) is not None:
            yield refused
            return
        try:
            reader = open_video(source.file, self.settings.decoder, source.pictures_only)
        except DecodeError as error:
            yield Failed(error.code, str(error).replace(source.file, source.path))
            return
        try:
            for message in self._messages(source, reader):
                if isinstance(message, Closed) and not _is_still(source):
                    yield Failed("changed", f"{source.path}: changed while it was read")
                else:
                    yield message
        finally:
            reader.close()

    def _messages(self, source: Source, reader: VideoReader) -> Iterator[Message]:
        began_s = time.process_time()
        if reader.info.duration_s > MAX_DURATION_S:
            hours = reader.info.duration_s / 3600
            yield Failed("no_duration", f"{source.path}: its timestamps span {hours:,.0f} hours, which cannot be true")
            return
        spans_s = segment_spans(reader.info.duration_s, self.settings.segment_s)
        yield Opened(reader.info.duration_s, spans_s, reader.name)
        problems: list[str] = []
        times_s = frame_times(spans_s, self.settings.frames_per_segment, self.settings.frame_position)
        pictures = self._pictures(reader, times_s)
        waveforms, sound = self._sound(reader, spans_s, problems.append)
        beside = tuple(Path(source.file).with_name(name) for name in source.side_files)
        material = Material(reader, spans_s, times_s, source.title, beside, sound, problems.append)
        without = source.pictures_only
        words = {s.kind: repeat(()) if without and s.kind != "title" else _careful(s, material) for s in self.sources}
        seen = False
        for (start_s, end_s), waveform in zip(spans_s.tolist(), waveforms, strict=False):
            taken = [next(pictures) for _ in range(times_s.shape[1])]
            frames = [frame for frame in taken if frame is not None]
            seen = seen or bool(frames)
            found = {kind: next(lines) for kind, lines in words.items()}
            text = joined(found)
            clip = Clip(start_s, end_s, *_stacked(frames), waveform, self.sample_rate, text)
            prepared = {modality: prepare(clip) for modality, prepare in self.preparers.items()}
            yield SegmentItems(
                np.array([np.nan if frame is None else frame.time_s for frame in taken]),
                {modality: item for modality, item in prepared.items() if item is not None},
                text,
                _thumbnail(frames[len(frames) // 2].image) if frames and self.settings.thumbnails else b"",
                {kind: lines for kind, lines in found.items() if kind != "title"},  # that one is kept once
            )
        if self.short_side is not None and not seen:
            yield Failed("no_frames", f"{source.path}: no picture could be decoded")
        else:
            yield Closed((*reader.problems, *problems), time.process_time() - began_s)

    def _pictures(self, reader: VideoReader, times_s: Float64) -> Iterator[Frame | None]:
        if self.short_side is None:
            return repeat(None)
        return iter(reader.frames(times_s.ravel(), self.short_side))

    def _sound(
        self, reader: VideoReader, spans_s: Float64, note: Callable[[str], None]
    ) -> tuple[Iterator[Float32], Callable[[], Iterator[Float32]]]:
        """The sound for the encoder, and for those who listen to words: decoded once if they want the same rate."""
        mine = _heard(reader, spans_s, self.sample_rate, note) if self.sample_rate else repeat(_NO_SOUND)
        if self.sample_rate != SPEECH_RATE or not any(source.hears for source in self.sources):
            return mine, partial(_heard, reader, spans_s, SPEECH_RATE, note)
        mine, theirs = tee(mine)
        return mine, lambda: theirs


def _heard(reader: VideoReader, spans_s: Float64, sample_rate: int, note: Callable[[str], None]) -> Iterator[Float32]:
    """The sound of every span; none, with a note, once reading it has failed."""
    given = 0
    try:
        for waveform in reader.audio(spans_s, sample_rate):
            yield waveform
            given += 1
    except Exception as error:  # whatever a decoder of sound throws must not cost the pictures
        note(f"sound from {spans_s[given, 0]:g} s on cannot be read: {type(error).__name__}: {error}")
    yield from repeat(_NO_SOUND, len(spans_s) - given)


def _careful(source: WordSource, material: Material) -> Iterator[tuple[Line, ...]]:
    """The words of every segment; none, with a note, once the source has failed."""
    lines = source.read(material)
    while True:
        try:
            yield from lines
        except Exception as error:  # whatever a recogniser throws at a video must not cost the video
            material.note(f"words of {source.name}: {type(error).__name__}: {error}")
        yield ()


@dataclass(frozen=True)
class Probing:
    """The task of a dry run: open a file, say what it is, decode no more than that takes."""

    settings: Settings

    def __call__(self, source: Source) -> Iterator[Message]:
        """Opened and Closed, or Failed."""
        if (refused := _refused(source)) is not None:
            yield refused
            return
        try:
            reader = open_video(source.file, self.settings.decoder, source.pictures_only)
        except DecodeError as error:
            yield Failed(error.code, str(error).replace(source.file, source.path))
            return
        info: MediaInfo = reader.info
        yield Opened(info.duration_s, segment_spans(info.duration_s, self.settings.segment_s), reader.name)
        yield Closed(tuple(reader.problems))
        reader.close()


def _refused(source: Source) -> Failed | None:
    """Why a file need not even be opened; None where it must be."""
    if source.clash:
        return Failed("id_clash", f"{source.path}: {source.clash}")
    try:
        os.stat(source.file)
    except (FileNotFoundError, NotADirectoryError):
        return Failed(
            "not_found", f"{source.path}: {'vanished before it was read' if source.there else 'no such file'}"
        )
    except OSError as error:
        return Failed("unreadable", f"{source.path}: {error.strerror}")
    return None


def _stacked(frames: list[Frame]) -> tuple[UInt8, Float64]:
    """Pictures (F, H, W, 3) and their times; where the shape changes in between, black surrounds the smaller ones."""
    if not frames:
        return np.zeros((0, 0, 0, 3), np.uint8), np.zeros(0)
    height, width = (max(frame.image.shape[axis] for frame in frames) for axis in (0, 1))
    images = np.zeros((len(frames), height, width, 3), np.uint8)
    for image, frame in zip(images, frames, strict=True):
        h, w = frame.image.shape[:2]
        top, left = (height - h) // 2, (width - w) // 2
        image[top : top + h, left : left + w] = frame.image
    return images, np.array([frame.time_s for frame in frames])


def _thumbnail(image: UInt8) -> bytes:
    from PIL import Image

    picture = Image.fromarray(image)
    scale = THUMBNAIL_SIDE / min(picture.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", **_WEBP)
    return buffer.getvalue()


def _is_still(source: Source) -> bool:
    """Whether the file is the one that was found."""
    try:
        stat = os.stat(source.file)
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (source.size_bytes, source.mtime_ns)
