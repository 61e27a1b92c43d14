"""The sound of a video, span by span, on the picture's timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.resampler import AudioResampler

from segfeat.decode.channels import read_layouts, set_plain_order, to_mono
from segfeat.decode.container import choose_audio, clock_of, is_locked, open_container, packets
from segfeat.decode.damage import Damage
from segfeat.types import Float32, Float64

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

_LOWEST_RATE = 1000
"""Sound at fewer samples a second than this is a damaged header."""

_JITTER_S = 0.03
"""Timestamps this close to the end of the sound so far continue it: containers round them to milliseconds."""


def read_sound(
    path: Path,
    spans_s: Float64,
    sample_rate: int,
    start_s: Fraction,
    damage: Damage,
    shifts: Sequence[Fraction] = (),
) -> Iterator[Float32]:
    """See `segfeat.decode.base.VideoReader.audio`; ``start_s`` is the first picture's time in the container.

    ``shifts`` are those of the pictures' clock, see `segfeat.decode.clock.Clock`.
    """
    spans = _checked(spans_s, sample_rate)
    end_s = float(spans[:, 1].max(initial=0.0))
    return _spans(spans, sample_rate, _resampled(_decoded(path, damage, shifts), sample_rate, start_s, end_s))


def no_sound(spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
    """What `read_sound` gives for a file without sound."""
    return _spans(_checked(spans_s, sample_rate), sample_rate, iter(()))


def _checked(spans_s: Float64, sample_rate: int) -> Float64:
    spans = np.asarray(spans_s, np.float64).reshape(-1, 2)
    if np.any(np.diff(spans[:, 0]) < 0):
        raise ValueError("spans of sound must ascend in start")
    if sample_rate < 1:
        raise ValueError(f"the sample rate must be at least 1 Hz, not {sample_rate}")
    return spans


def _spans(spans: Float64, rate: int, blocks: Iterator[tuple[int, Float32]]) -> Iterator[Float32]:
    first = np.round(spans[:, 0] * rate).astype(np.int64).tolist()
    count = np.round((spans[:, 1] - spans[:, 0]) * rate).astype(np.int64).tolist()
    held: list[tuple[int, Float32]] = []
    reached = -(1 << 62)
    for begin, n in zip(first, count, strict=True):
        held = [block for block in held if block[0] + len(block[1]) > begin]
        while reached < begin + n:
            block = next(blocks, None)
            if block is None:
                break
            reached = block[0] + len(block[1])
            if reached > begin:
                held.append(block)
        yield _cut(held, begin, n)


def _cut(blocks: list[tuple[int, Float32]], begin: int, n: int) -> Float32:
    """Samples [begin, begin + n) out of blocks at absolute positions; empty if none of them reaches in."""
    out = np.zeros(n, np.float32)
    sounded = False
    for at, samples in blocks:
        low, high = max(at, begin), min(at + len(samples), begin + n)
        if low < high:
            out[low - begin : high - begin] = samples[low - at : high - at]
            sounded = True
    return out.clip(-1.0, 1.0) if sounded else np.zeros(0, np.float32)


def _resampled(
    decoded: Iterator[tuple[AudioFrame, Float32]], rate: int, start_s: Fraction, end_s: float
) -> Iterator[tuple[int, Float32]]:
    """Blocks of mono sound at ``rate`` with their positions in samples after the first picture, up to ``end_s``."""
    stretch: _Stretch | None = None
    for frame, mono in decoded:
        tick = frame.time_base or Fraction(1, frame.sample_rate)
        reached_s = 0.0 if stretch is None else stretch.end_s
        time_s = reached_s if frame.pts is None else float(frame.pts * tick - start_s)
        if stretch is None or stretch.breaks_off(time_s, frame.sample_rate):
            if stretch is not None:
                mono = mono[round(max(0.0, reached_s - time_s) * frame.sample_rate) :]  # what is there already
                if not len(mono):
                    continue
                yield from stretch.rest()
                time_s = max(time_s, reached_s)
            stretch = _Stretch(time_s, frame.sample_rate, rate)
        yield from stretch.feed(mono)
        if stretch.end_s > end_s + _JITTER_S:
            break
    if stretch is not None:
        yield from stretch.rest()


class _Stretch:
    """Sound without a hole, resampled as one piece."""

    def __init__(self, begin_s: float, source_rate: int, rate: int) -> None:
        self.end_s = begin_s
        self._source_rate = source_rate
        self._position = round(begin_s * rate)
        self._resampler = AudioResampler("flt", "mono", rate)

    def breaks_off(self, time_s: float, source_rate: int) -> bool:
        """Whether sound that starts at ``time_s`` cannot be a continuation."""
        return abs(time_s - self.end_s) > _JITTER_S or source_rate != self._source_rate

    def feed(self, mono: Float32) -> Iterator[tuple[int, Float32]]:
        """Blocks that come out when samples at the source's rate go in."""
        frame = av.AudioFrame.from_ndarray(mono[None], "flt", "mono")
        frame.sample_rate = self._source_rate
        self.end_s += len(mono) / self._source_rate
        yield from self._place(self._resampler.resample(frame))

    def rest(self) -> Iterator[tuple[int, Float32]]:
        """Blocks still inside the filter at the end."""
        yield from self._place(self._resampler.resample(None))

    def _place(self, frames: list[AudioFrame]) -> Iterator[tuple[int, Float32]]:
        for frame in frames:
            samples = frame.to_ndarray()[0]
            yield self._position, samples
            self._position += len(samples)


def _decoded(path: Path, damage: Damage, shifts: Sequence[Fraction]) -> Iterator[tuple[AudioFrame, Float32]]:
    """Decoded audio frames with their samples as the mean of the channels, past packets that fail."""
    with open_container(path) as container:
        stream = choose_audio(container)
        if stream is None:
            return
        set_plain_order(stream, read_layouts(container).get(stream.index, ""))
        clock = clock_of(container, stream, shifts)
        for packet in chain(packets(container, stream, damage.note, clock), [None]):
            if packet is not None and is_locked(packet):
                damage.note("packet of sound that is encrypted")
                continue
            try:
                frames = stream.codec_context.decode(packet)
            except av.FFmpegError as error:
                damage.note("audio packet that does not decode", error.strerror or str(error))
                continue
            for frame in frames:
                if frame.sample_rate < _LOWEST_RATE:
                    damage.note("sound at an absurd sample rate", f"{frame.sample_rate} Hz")
                    continue
                yield frame, to_mono(frame)
