"""The table of a video stream's packets: one pass over the container, nothing decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from segfeat.types import Bool, Int64

if TYPE_CHECKING:
    from av.packet import Packet


@dataclass(frozen=True, eq=False)
class PacketTable:
    """Packets (P,) in decoding order; timestamps in the stream's time base.

    Attributes
    ----------
    pts : int64 (P,)
        Presentation timestamps, the decoding timestamp where there is none.
    dts : int64 (P,)
        Decoding timestamps; where there is none, a unit of time more than the one before.
    duration : int64 (P,)
        0 where the container does not say. In mp4 and mov the step to the next *decoding* timestamp.
    keyframe : bool (P,)
        Decoding can start here.
    shown : bool (P,)
        False for packets that an edit list cuts off: decoded, never on screen.
    exact : bool
        Every packet on screen has a presentation timestamp of its own.
    """

    pts: Int64
    dts: Int64
    duration: Int64
    keyframe: Bool
    shown: Bool
    exact: bool

    @property
    def timeline(self) -> Int64:
        """Ascending distinct timestamps of the pictures on screen."""
        return np.unique(self.pts[self.shown])

    @property
    def start(self) -> int:
        """Timestamp of the first picture on screen."""
        return int(self.pts[self.shown].min())

    @property
    def reordered(self) -> bool:
        """Whether pictures are shown in another order than they are stored in."""
        return bool((np.diff(self.pts) < 0).any())

    def length(self, nominal: int, track: int | None = None, steps: bool = False) -> int:
        """Ticks from the moment the first picture comes on screen to the moment the last one leaves it.

        Parameters
        ----------
        nominal : int
            Ticks that a picture lasts where nothing says how long.
        track : int, optional
            Length of the whole track by its own word (edit list, header), where all its packets are there.
        steps : bool
            Whether the packets' durations are steps of decoding. Where pictures are reordered they say nothing of how
            long the last one lasts: then the track's end decides, unless it comes before the last picture.
        """
        timeline = self.timeline
        shown = int(timeline[-1] - timeline[0])
        last = np.flatnonzero(self.shown & (self.pts == timeline[-1]))[-1]
        own = int(self.duration[last]) or nominal
        if not (steps and self.reordered):
            return shown + own
        if track is not None and track > shown:
            return track
        return shown + (min(own, round(float(np.median(np.diff(timeline))))) if len(timeline) > 1 else own)

    def in_output_order(self, start: int) -> PacketTable:
        """The same packets where the presentation timestamps are guesses made from the decoding ones.

        The decoder's output order is right: its first picture is on screen at ``start``, and each one as long after it
        as its place in decoding order is after the first packet.
        """
        return replace(self, pts=np.sort(self.dts) - int(self.dts.min()) + start, exact=False)

    def decoding_index(self) -> dict[int, int]:
        """Position in decoding order of every picture on screen, by timestamp."""
        return {int(self.pts[i]): i for i in np.flatnonzero(self.shown).tolist()}

    def entry(self, index: int) -> int:
        """Where decoding must start to get packet ``index`` right: the last keyframe that is not shown after it.

        Pictures shown before a keyframe but stored after it (open GOP) lean on the group before.
        """
        before = np.flatnonzero(self.keyframe[: index + 1])
        before = before[self.pts[before] <= self.pts[index]]
        return int(before[-1]) if len(before) else 0


def read_table(packets: Iterable[Packet], nominal: int) -> PacketTable:
    """Collect the table; packets without any timestamp leave it inexact and follow the one before by ``nominal``."""
    pts: list[int] = []
    dts: list[int] = []
    duration: list[int] = []
    keyframe: list[bool] = []
    shown: list[bool] = []
    complete = True
    for packet in packets:
        stamp = packet.pts
        if stamp is None:
            complete = False
            stamp = packet.dts if packet.dts is not None else (pts[-1] + nominal if pts else 0)
        pts.append(stamp)
        dts.append(packet.dts if packet.dts is not None else dts[-1] + nominal if dts else stamp)
        duration.append(packet.duration or 0)
        keyframe.append(packet.is_keyframe)
        shown.append(not packet.is_discard)
    stamps = np.array(pts, np.int64)
    on_screen = np.array(shown, bool)
    distinct = len(np.unique(stamps[on_screen])) == np.count_nonzero(on_screen)
    return PacketTable(
        pts=stamps,
        dts=np.array(dts, np.int64),
        duration=np.array(duration, np.int64),
        keyframe=np.array(keyframe, bool),
        shown=on_screen,
        exact=complete and distinct,
    )
