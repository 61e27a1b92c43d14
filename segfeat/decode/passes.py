"""Two ways through a video stream to the pictures that are wanted.

`guided_pass` decodes as little as possible and gives up at the first thing that is not as the packet table says;
`plain_pass` decodes everything in order and takes damage as it comes. Both give identical pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import av

from segfeat.decode.damage import Damage
from segfeat.decode.packets import PacketTable
from segfeat.decode.strict import decode

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

_WORTH_A_JUMP = 2
"""Packets that must be saved before the decoder is emptied and restarted at a keyframe."""

_HVCC_LAYERS_BYTE = 21
"""Byte of an ISO/IEC 14496-15 HEVC configuration record that holds the number of temporal layers (bits 3 to 5)."""


class OffTrack(Exception):
    """The decoder did not give what the packet table promised: a damaged or unusual stream."""


def guided_pass(
    packets: Iterable[Packet], codec: VideoCodecContext, table: PacketTable, wanted: Sequence[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """The pictures with the ``wanted`` timestamps (ascending, distinct, all on the table's timeline), in that order.

    Packets are dropped up to the last keyframe that suffices, where that saves anything. Of the rest, pictures that no
    other picture leans on are skipped by the decoder unless wanted; it works on one thread, so that the choice holds
    for the very next packet.

    Raises
    ------
    OffTrack
        If a packet fails to decode, or a picture is missing, damaged, or out of order.
    """
    source = enumerate(packets)
    idle = "NONREF" if _spares_are_marked(codec) else "DEFAULT"
    for entry, goals in _runs(table, wanted):
        goal_packets = {index for _, index in goals}
        last = max(goal_packets)
        due = iter([pts for pts, _ in goals])
        expected = next(due, None)
        for pts, frame in _run(source, codec, table, entry, last, goal_packets, idle):
            if expected is not None and pts > expected:
                raise OffTrack(f"no picture at {expected}")
            if pts == expected:
                yield pts, frame
                expected = next(due, None)
        if expected is not None:
            raise OffTrack(f"no picture at {expected}")
        codec.flush_buffers()


def _runs(table: PacketTable, wanted: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Group wanted pictures into stretches decoded without a break: (first packet, [(timestamp, packet), ...])."""
    index_of = table.decoding_index()
    entry, last, goals = 0, -1, list[tuple[int, int]]()
    for pts in wanted:
        index = index_of[pts]
        fresh = table.entry(index)
        if goals and fresh > last + _WORTH_A_JUMP:
            yield entry, goals
            goals = []
        if not goals:
            entry, last = fresh, index
        goals.append((pts, index))
        last = max(last, index)
    if goals:
        yield entry, goals


def _run(
    source: Iterator[tuple[int, Packet]],
    codec: VideoCodecContext,
    table: PacketTable,
    entry: int,
    last: int,
    goal_packets: set[int],
    idle: str,
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode packets ``entry`` to ``last`` and empty the decoder; frames leave in ascending order of timestamps."""
    latest = None
    for index, packet in source:
        if index < entry:
            continue
        if index >= len(table.pts) or packet.pts != table.pts[index]:
            raise OffTrack("the packets are not those of the table")
        mode = "DEFAULT" if index in goal_packets else idle
        if codec.skip_frame != mode:
            codec.skip_frame = mode  # type: ignore[assignment]
        try:
            frames, complaint = decode(codec, packet)
            if index == last:
                frames += codec.decode(None)
        except av.FFmpegError as error:
            raise OffTrack(str(error)) from error
        if complaint:
            raise OffTrack(complaint)
        for frame in frames:
            if frame.pts is None or frame.is_corrupt or (latest is not None and frame.pts <= latest):
                raise OffTrack("a damaged picture, or one out of order")
            latest = frame.pts
            yield frame.pts, frame
        if index == last:
            return


def plain_pass(
    packets: Iterable[Packet], codec: VideoCodecContext, nominal: int, damage: Damage, start: int | None = None
) -> Iterator[tuple[int, VideoFrame]]:
    """Every picture that decodes, in the decoder's order, with its timestamp.

    A picture without a presentation timestamp takes the decoding timestamp that set it free, or follows the one before
    by ``nominal`` ticks. Where presentation timestamps are guesses, ``start`` is the timestamp of the first picture
    and every picture is treated so. Packets that fail and pictures patched up by the decoder are noted in ``damage``.
    """
    latest = (start or 0) - nominal
    for packet in chain(packets, [None]):
        try:
            frames, complaint = decode(codec, packet)
        except av.FFmpegError as error:
            damage.note("video packet that does not decode", error.strerror or str(error))
            continue
        if complaint:
            damage.note("video packet that decodes only in part", complaint)
        for frame in frames:
            if frame.is_corrupt:
                damage.note("picture that decodes only in part")
            stamp = frame.dts if start is not None or frame.pts is None else frame.pts
            if stamp is not None and start is not None and stamp > latest > start:
                nominal = stamp - latest  # what the decoder holds back at the end goes on at this pace
            latest = stamp if stamp is not None else latest + nominal
            yield latest, frame


def _spares_are_marked(codec: VideoCodecContext) -> bool:
    """Whether the stream marks, for the decoder to trust, the pictures that no other picture leans on.

    H.264 does (nal_ref_idc 0). HEVC only says it within a temporal layer, so it counts for one-layer streams.
    """
    if codec.name == "h264":
        return True
    record = codec.extradata or b""
    if codec.name != "hevc" or len(record) <= _HVCC_LAYERS_BYTE or record[0] != 1:
        return False
    return (record[_HVCC_LAYERS_BYTE] >> 3) & 7 == 1
