"""Damage that shows without decoding: packets whose units do not add up, streams shorter than their header says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av.logging

from segfeat.decode.damage import Damage
from segfeat.decode.edits import edited_length_s

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_LENGTH_BYTE = {"h264": 4, "hevc": 21}
"""Byte of an ISO/IEC 14496-15 configuration record whose lowest two bits are the length field's size minus one."""

_FIRST_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"styp")
_MOST_BOXES = 1000

_EDIT_TICK_S = 0.002
"""Edit lists count in ticks that are no longer than this."""

_SHORT_S = 0.2
"""A stream may differ this much, or by a hundredth, from the length that its header gives: muxers round."""


def unit_length_size(codec: VideoCodecContext) -> int:
    """Bytes of the length before each unit of a packet (H.264 and HEVC in mp4, mov and Matroska); 0 where unknown."""
    record = codec.extradata or b""
    place = _LENGTH_BYTE.get(codec.name)
    if place is None or len(record) <= place or record[0] != 1:
        return 0
    return (record[place] & 3) + 1


def adds_up(packet: Packet, length_size: int) -> bool:
    """Whether the units of a packet fill it exactly."""
    return _walk(packet, length_size)[1] == packet.size


def starts_afresh(packet: Packet, codec: VideoCodecContext) -> bool:
    """Whether nothing after a keyframe packet, in either order, can lean on anything before it.

    True for instantaneous refresh pictures of H.264 (unit type 5) and HEVC (19, 20), and for keyframes of other codecs.
    """
    length_size = unit_length_size(codec)
    if not length_size:
        return codec.name not in _LENGTH_BYTE
    first_bytes = [bytes(packet)[at] for at in _walk(packet, length_size)[0]]
    if codec.name == "h264":
        return any(byte & 0x1F == 5 for byte in first_bytes)
    return any((byte >> 1) & 0x3F in (19, 20) for byte in first_bytes)


def _walk(packet: Packet, length_size: int) -> tuple[list[int], int]:
    """Where the units of a packet begin, and where the last one ends by its own length."""
    data = memoryview(packet)
    size, at, begins = len(data), 0, []
    while at + length_size < size:
        begins.append(at + length_size)
        at += length_size + int.from_bytes(data[at : at + length_size], "big")
    return begins, at


@contextmanager
def matroska_complaints(damage: Damage) -> Iterator[None]:
    """Note what FFmpeg's Matroska demuxer logs as errors meanwhile.

    It skips what it cannot parse and resumes at the next cluster; nothing but its log tells.
    """
    level, repeats = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as messages:
            yield
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(repeats)
    for _, source, message in messages:
        if source.startswith("matroska"):
            damage.note("damaged part of the container", message.strip())


def shortfall(format_name: str, path: Path) -> str:
    """How much of an AVI file is missing by its header's word, in words; empty where nothing is.

    AVI has no timestamps: where a stretch is lost, everything after it moves forward.
    """
    if format_name != "avi":
        return ""
    with path.open("rb") as file:
        stated = int.from_bytes(file.read(8)[4:], "little")
        held = file.seek(0, os.SEEK_END) - 8
    unknown = (0, 0xFFFFFFFF)  # of a recorder that was cut off, or of a stream
    return "" if stated in unknown or held >= stated else f"{stated - held:,} bytes are missing"


def track_length(stream: VideoStream, packet_count: int, path: Path) -> int | None:
    """Length of a track of mp4 or mov by its edit list and header, in its ticks; None where packets are missing.

    Only the track knows when its last picture leaves: a sample's duration is the step to the next decoding time. The
    edit list counts in coarser ticks than the header, so it decides only where they disagree by more than that.
    """
    if not (is_indexed(stream) and packet_count >= len(stream.index_entries) and stream.duration and stream.time_base):
        return None
    edited_s = edited_length_s(path, stream.id)
    if edited_s is None or abs(edited_s - stream.duration * stream.time_base) <= _EDIT_TICK_S:
        return stream.duration
    return round(edited_s / stream.time_base)


def is_indexed(stream: VideoStream) -> bool:
    """Whether the container is an mp4 or mov with one index of all packets, not one a fragment."""
    return "mov" in stream.container.format.name.split(",") and len(stream.index_entries) > 0


def headless(path: Path) -> str:
    """Why an mp4 or mov file cannot be opened, in words; empty where it is none, or has all of its index."""
    kinds: list[bytes] = []
    whole = True
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        at = 0
        while at + 8 <= length and len(kinds) < _MOST_BOXES:
            file.seek(at)
            head = file.read(16)
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            kinds.append(kind)
            at += size if size >= 8 else length
            if kind == b"moov":
                whole = at <= length
                break
    if not kinds or kinds[0] not in (*_FIRST_BOXES, b"moov"):
        return ""
    if b"moov" not in kinds:
        return "cut off or still being written: its index (moov) is missing"
    return "" if whole else "cut off or still being written: its index (moov) is not all there"


def length_mismatch(stream: VideoStream, packet_count: int, start_s: float, duration_s: float) -> str:
    """How much less there is than the stream's header says, in words; empty where nothing is missing.

    Headers count from the first picture or from the container's zero, so either reading will do. In AVI, FFmpeg cuts
    the length to what is there, but not the number of pictures; an mp4's index lists every packet.
    """
    if is_indexed(stream):
        listed = len(stream.index_entries)
        return f"{packet_count} of {listed} pictures" if packet_count < listed else ""
    if stream.container.format.name == "avi" and packet_count < 0.99 * stream.frames - 2:
        return f"{packet_count} of {stream.frames} pictures"
    stated_s = 0.0
    if stream.duration and stream.time_base:
        stated_s = float(stream.duration * stream.time_base)
    elif "DURATION" in stream.metadata:
        stated_s = _clock_s(stream.metadata["DURATION"])
    if stated_s - duration_s - max(start_s, 0.0) <= max(_SHORT_S, 0.01 * stated_s):
        return ""
    return f"{duration_s:.3f} s of {stated_s:.3f} s"


def _clock_s(text: str) -> float:
    """Seconds of a Matroska duration tag, "00:00:10.333000000"; 0 for anything else."""
    parts = text.strip().split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return 0.0
    return hours * 3600 + minutes * 60 + seconds
