"""The reader behind ``auto``: PyAV, by presentation timestamp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from segfeat.decode.base import NEAR_S, SLACK_S, Cue, DecodeError, Frame, MediaInfo
from segfeat.decode.checksums import broken_checksums
from segfeat.decode.container import choose_audio, choose_text, choose_video, open_container, packets
from segfeat.decode.damage import Damage
from segfeat.decode.display import Display, read_display
from segfeat.decode.integrity import adds_up, length_mismatch, matroska_complaints, shortfall, unit_length_size
from segfeat.decode.packets import read_table
from segfeat.decode.passes import OffTrack, guided_pass, plain_pass
from segfeat.decode.sound import read_sound
from segfeat.decode.strict import strict_codec
from segfeat.decode.subtitles import read_cues
from segfeat.types import Float32, Float64, Int64

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_FALLBACK_FPS = Fraction(25)

_LONG_S, _SPARSE_S = 6 * 3600.0, 10.0
"""A video longer than this with fewer pictures than one in ten seconds has damaged timestamps."""


class PyAVReader:
    """See `segfeat.decode.base.VideoReader`. Every method opens the file anew, so that iterators may interleave."""

    name = "pyav"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = Damage()
        self._stamps: Int64 | None = None
        with matroska_complaints(self.damage), open_container(path) as container:
            stream = choose_video(container, path)
            audio, text = choose_audio(container), choose_text(container)
            self._tick = stream.time_base or Fraction(1, 1000)
            fps = stream.average_rate or stream.guessed_rate or _FALLBACK_FPS
            self._nominal = max(1, round(1 / (fps * self._tick)))
            first = _FirstFrame(stream)
            source = _checked(packets(container, stream, self.damage.note), stream, self.damage)
            self.table = read_table(first.watch(source), self._nominal)
            frame = first.frame
            if frame is None:
                raise DecodeError("no_frames", f"{path}: no picture of the {stream.name} stream can be decoded")
            self.display = read_display(frame, stream.sample_aspect_ratio)
            self._start = self.table.start if self.table.exact else _stamp(frame)
            duration_s = float(max(1, self.table.end(self._nominal) - self._start) * self._tick)
            if duration_s > _LONG_S and duration_s > _SPARSE_S * len(self.table.timeline):
                count = len(self.table.timeline)
                raise DecodeError("broken_timestamps", f"{path}: {count} pictures in {duration_s / 3600:.0f} hours")
            self.info = MediaInfo(
                duration_s=duration_s,
                width=self.display.size[0],
                height=self.display.size[1],
                rotation_deg=self.display.rotation_deg,
                codec=stream.codec_context.codec.canonical_name,
                fps=float(fps),
                has_audio=audio is not None,
                audio_codec=audio.codec_context.codec.canonical_name if audio else "",
                audio_sample_rate=audio.sample_rate if audio else 0,
                has_subtitles=text is not None,
            )
            if "matroska" in container.format.name and (count := broken_checksums(path)):
                self.damage.note("damaged part of the container", f"{count} of its checksums are wrong")
            if missing := shortfall(container.format.name, path):
                self.damage.note("the file is shorter than its header says", missing)
            if mismatch := length_mismatch(stream, len(self.table.pts), float(self._start * self._tick), duration_s):
                self.damage.note("the picture is not as long as its header says", mismatch)

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, one line each."""
        return self.damage.lines()

    @property
    def timeline_s(self) -> Float64:
        """Ascending times (P,) of the pictures on screen by the container's word, in seconds after the first."""
        ticks = (self.table.timeline - self._start).astype(np.float64)
        return ticks * float(self._tick)

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """See `VideoReader.frames`."""
        times, display = self.request(times_s, short_side)
        return self._frames(times, _Painter(display, self._start, self._tick))

    def request(self, times_s: Sequence[float] | Float64, short_side: int | None) -> tuple[Float64, Display]:
        """Check what `frames` was asked for: the times (K,) and how pictures are to be displayed.

        Raises
        ------
        ValueError
            If the times do not ascend or ``short_side`` is below 1.
        """
        times = np.asarray(times_s, np.float64)
        if not np.isfinite(times).all() or np.any(np.diff(times) < 0):
            raise ValueError("times of pictures must be finite and ascend")
        if short_side is not None and short_side < 1:
            raise ValueError(f"the shorter side must be at least 1 pixel, not {short_side}")
        return times, self.display.scaled(short_side)

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """See `VideoReader.audio`."""
        return read_sound(self.path, spans_s, sample_rate, self._start * self._tick, self.damage)

    def cues(self) -> list[Cue]:
        """See `VideoReader.cues`."""
        return read_cues(self.path, self._start * self._tick, self.damage)

    def close(self) -> None:
        """See `VideoReader.close`; nothing stays open between calls."""

    def _frames(self, times: Float64, painter: _Painter) -> Iterator[Frame | None]:
        given = 0
        if self.table.exact and self._stamps is None:
            targets = self._on_screen(self.table.timeline, times)
            try:
                for frame in self._guided(targets, painter):
                    yield frame
                    given += 1
                return
            except OffTrack:
                pass  # the plain pass below starts over and says what is wrong
        yield from self._plain(times[given:], painter)

    def _guided(self, targets: Int64, painter: _Painter) -> Iterator[Frame]:
        with open_container(self.path) as container:
            stream = choose_video(container, self.path)
            distinct, repeats = np.unique(targets, return_counts=True)
            source, codec = packets(container, stream, _off_track), strict_codec(stream)
            pictures = guided_pass(source, codec, self.table, distinct.tolist())
            for (stamp, picture), count in zip(pictures, repeats.tolist(), strict=True):
                frame = painter.paint(picture, stamp)
                yield from [frame] * count

    def _plain(self, times: Float64, painter: _Painter) -> Iterator[Frame | None]:
        if self._stamps is None:
            self._stamps = np.array([stamp for stamp, _ in self._decode_all(self.damage)], np.int64)
            self._hear_witness()
        choice = self._choose(self._stamps, times)
        remaining = {int(n): int(np.count_nonzero(choice == n)) for n in np.unique(choice)}
        held: dict[int, Frame] = {}
        source = enumerate(self._decode_all(Damage()))
        for number in choice.tolist():
            while number >= 0 and number not in held:
                ordinal, (stamp, picture) = next(source)
                if ordinal in remaining:
                    held[ordinal] = painter.paint(picture, stamp)
            yield held[number] if number >= 0 else None
            remaining[number] -= 1
            if not remaining[number]:
                held.pop(number, None)

    def _choose(self, stamps: Int64, times: Float64) -> Int64:
        """Which decodable picture (its place in decoding order) to show at each time; -1 where none is near."""
        if not len(stamps):
            return np.full(len(times), -1)
        order = np.argsort(stamps, kind="stable")
        ranked = stamps[order]
        rank = np.clip(np.searchsorted(ranked, self._ticks(times), "right") - 1, 0, None)
        if self.table.exact:
            missed = np.abs(self._on_screen(self.table.timeline, times) - ranked[rank]) * float(self._tick)
            return np.where(missed <= NEAR_S, order[rank], -1)
        return order[rank]

    def _on_screen(self, timeline: Int64, times: Float64) -> Int64:
        return timeline[np.clip(np.searchsorted(timeline, self._ticks(times), "right") - 1, 0, None)]

    def _ticks(self, times: Float64) -> Float64:
        return self._start + (times + SLACK_S) / float(self._tick)

    def _decode_all(self, damage: Damage) -> Iterator[tuple[int, VideoFrame]]:
        with open_container(self.path) as container:
            stream = choose_video(container, self.path)
            source = packets(container, stream, Damage().note)  # read errors were noted when the table was made
            yield from plain_pass(source, stream.codec_context, self._nominal, damage)

    def _hear_witness(self) -> None:
        """Note what a stricter decoder refuses; up to the next keyframe it gives no picture at all."""
        with open_container(self.path) as container:
            stream = choose_video(container, self.path)
            codec = strict_codec(stream)
            if codec is not stream.codec_context:
                for _ in plain_pass(packets(container, stream, Damage().note), codec, self._nominal, self.damage):
                    pass


class _Painter:
    """Turns decoded frames into displayed pictures of one size."""

    def __init__(self, display: Display, start: int, tick: Fraction) -> None:
        self._display, self._start, self._tick = display, start, tick
        self._reformatter = VideoReformatter()

    def paint(self, picture: VideoFrame, stamp: int) -> Frame:
        image = self._display.picture(picture, self._reformatter)
        return Frame(float((stamp - self._start) * self._tick), image)


class _FirstFrame:
    """Decodes packets that pass by until the first picture is out."""

    def __init__(self, stream: VideoStream) -> None:
        self._codec = stream.codec_context
        self.frame: VideoFrame | None = None

    def watch(self, source: Iterable[Packet]) -> Iterator[Packet]:
        for packet in source:
            self._try(packet)
            yield packet
        self._try(None)

    def _try(self, packet: Packet | None) -> None:
        if self.frame is None:
            try:
                self.frame = next(iter(self._codec.decode(packet)), None)
            except av.FFmpegError:
                return  # the passes over the stream report it


def _checked(source: Iterable[Packet], stream: VideoStream, damage: Damage) -> Iterator[Packet]:
    length_size = unit_length_size(stream.codec_context)
    for packet in source:
        if packet.is_corrupt or (length_size and not adds_up(packet, length_size)):
            damage.note("damaged video packet")
        yield packet


def _stamp(frame: VideoFrame) -> int:
    return frame.pts if frame.pts is not None else frame.dts or 0


def _off_track(kind: str, detail: str) -> None:
    raise OffTrack(f"{kind}: {detail}")
