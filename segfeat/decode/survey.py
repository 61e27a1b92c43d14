"""What one pass over a file's packets tells, with one picture decoded: streams, time line, length, visible damage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from segfeat.decode.base import DecodeError, MediaInfo
from segfeat.decode.checksums import broken_checksums
from segfeat.decode.container import (
    choose_audio,
    choose_text,
    choose_video,
    clock_of,
    is_locked,
    locked,
    open_container,
    packets,
    unheard,
)
from segfeat.decode.damage import Damage
from segfeat.decode.display import Display, read_display
from segfeat.decode.integrity import (
    adds_up,
    is_indexed,
    length_mismatch,
    matroska_complaints,
    shortfall,
    track_length,
    unit_length_size,
)
from segfeat.decode.packets import PacketTable, read_table
from segfeat.types import Bool, Int64

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_FALLBACK_FPS = Fraction(25)

_LONG_S, _SPARSE_S = 6 * 3600.0, 10.0
"""A video longer than this with fewer pictures than one in ten seconds has damaged timestamps."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a file before any of it is used.

    Attributes
    ----------
    info : MediaInfo
    stream_index : int
        Of the chosen video stream.
    tick : Fraction
        Seconds of its unit of time.
    nominal : int
        Ticks of a picture where nothing says how long it lasts.
    table : PacketTable
    start : int
        Timestamp of the first picture on screen.
    in_output_order : bool
        Whether the presentation timestamps are guesses, and the decoder's output order tells what is shown when.
    shifts : tuple of Fraction
        Of the pictures' clock, see `segfeat.decode.clock.Clock`.
    display : Display
        How the first picture is shown.
    sample_aspect : Fraction or None
    """

    info: MediaInfo
    stream_index: int
    tick: Fraction
    nominal: int
    table: PacketTable
    start: int
    in_output_order: bool
    shifts: tuple[Fraction, ...]
    display: Display
    sample_aspect: Fraction | None

    @property
    def timed(self) -> bool:
        """Whether the table knows when every picture is on screen."""
        return self.table.exact or self.in_output_order


def survey(path: Path, damage: Damage, pictures_only: bool = False) -> Survey:
    """Read a file's packets; damage that shows is noted.

    Raises
    ------
    DecodeError
        If it cannot be read as a video.
    """
    with matroska_complaints(damage), open_container(path) as container:
        stream = choose_video(container, path)
        tick = stream.time_base or Fraction(1, 1000)
        fps = stream.average_rate or stream.guessed_rate or _FALLBACK_FPS
        nominal = max(1, round(1 / (fps * tick)))
        first = _FirstFrame(stream)
        clock = clock_of(container, stream)
        source = _checked(packets(container, stream, damage.note, clock), stream, damage, path)
        table = read_table(first.watch(source), nominal)
        for leap in clock.leaps if clock is not None else ():
            damage.note("the clock was set anew, and the time line goes on", leap)
        if first.frame is None:
            raise DecodeError("no_frames", f"{path}: no picture of the {stream.name} stream can be decoded")
        in_order = _guessed(container, stream, table)
        start = _start(stream, table, first.frame, in_order)
        if in_order:
            table = table.in_output_order(start)
        duration_s = float(
            tick * max(1, table.length(nominal, track_length(stream, len(table.pts), path), is_indexed(stream)))
        )
        if duration_s > _LONG_S and duration_s > _SPARSE_S * len(table.timeline):
            count = len(table.timeline)
            raise DecodeError("broken_timestamps", f"{path}: {count} pictures in {duration_s / 3600:.0f} hours")
        display = read_display(first.frame, stream.sample_aspect_ratio)
        found = Survey(
            info=_info(container, stream, display, duration_s, float(fps), pictures_only),
            stream_index=stream.index,
            tick=tick,
            nominal=nominal,
            table=table,
            start=start,
            in_output_order=in_order,
            shifts=tuple(clock.shifts) if clock is not None else (),
            display=display,
            sample_aspect=stream.sample_aspect_ratio,
        )
        if found.timed:
            stamp = first.frame.dts if in_order else first.frame.pts
            early = table.timeline < (start if stamp is None else stamp)
            note_missing(found, early, damage)
        if not pictures_only and (reason := unheard(container)):
            damage.note("sound that cannot be read", reason)
        if "matroska" in container.format.name and (count := broken_checksums(path)):
            damage.note("damaged part of the container", f"{count} of its checksums are wrong")
        if missing := shortfall(container.format.name, path):
            damage.note("the file is shorter than its header says", missing)
        if mismatch := length_mismatch(stream, len(table.pts), float(start * tick), duration_s):
            damage.note("the picture is not as long as its header says", mismatch)
    return found


def note_missing(found: Survey, missing: Bool | Int64, damage: Damage) -> None:
    """Note pictures that the decoder did not give; ``missing`` picks a run of them from the timeline."""
    lost = found.table.timeline[missing]
    if len(lost):
        begin_s, last_s = (float((int(stamp) - found.start) * found.tick) for stamp in (lost[0], lost[-1]))
        span = f"{begin_s:.2f} to {last_s + float(found.nominal * found.tick):.2f} s"
        damage.note("missing picture: the decoder gave none for its packet", span, len(lost))


def _info(
    container: InputContainer,
    stream: VideoStream,
    display: Display,
    duration_s: float,
    fps: float,
    pictures_only: bool,
) -> MediaInfo:
    audio = None if pictures_only else choose_audio(container)
    text = None if pictures_only else choose_text(container)
    return MediaInfo(
        duration_s=duration_s,
        width=display.size[0],
        height=display.size[1],
        rotation_deg=display.rotation_deg,
        codec=stream.codec_context.codec.canonical_name,
        fps=fps,
        has_audio=audio is not None,
        audio_codec=audio.codec_context.codec.canonical_name if audio else "",
        audio_sample_rate=audio.sample_rate if audio else 0,
        has_subtitles=text is not None,
    )


def _guessed(container: InputContainer, stream: VideoStream, table: PacketTable) -> bool:
    """Whether presentation timestamps are guesses: the decoder reorders pictures, and the timestamps do not.

    AVI, ASF and MXF hold decoding timestamps only, as Matroska does for codecs that came from AVI; mp4 holds offsets.
    """
    if "mov" in container.format.name.split(",") or not stream.codec_context.reorder_depth:
        return False
    return len(table.pts) > 1 and not table.reordered


def _start(stream: VideoStream, table: PacketTable, frame: VideoFrame, in_order: bool) -> int:
    if not in_order:
        return table.start if table.exact else frame.pts if frame.pts is not None else frame.dts or 0
    # The first picture of a whole stream comes out when as many packets as the decoder holds back have gone in.
    due = int(table.dts[min(stream.codec_context.reorder_depth, len(table.dts) - 1)])
    return due if frame.dts is None else min(due, frame.dts)


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


def _checked(source: Iterable[Packet], stream: VideoStream, damage: Damage, path: Path) -> Iterator[Packet]:
    length_size = unit_length_size(stream.codec_context)
    for packet in source:
        if is_locked(packet):  # perhaps after a beginning in the clear
            raise locked(path)
        if packet.is_corrupt or (length_size and not adds_up(packet, length_size)):
            damage.note("damaged video packet")
        yield packet
