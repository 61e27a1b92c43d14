"""The table of a video stream's packets: one pass over the container, nothing decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
    duration : int64 (P,)
        0 where the container does not say.
    keyframe : bool (P,)
        Decoding can start here.
    shown : bool (P,)
        False for packets that an edit list cuts off: decoded, never on screen.
    exact : bool
        Every packet on screen has a presentation timestamp of its own.
    """

    pts: Int64
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

    def end(self, nominal: int) -> int:
        """Timestamp at which the last picture leaves; it lasts ``nominal`` where the container does not say."""
        last = np.where(self.duration > 0, self.duration, nominal)
        return int((self.pts + last)[self.shown].max())

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
        duration.append(packet.duration or 0)
        keyframe.append(packet.is_keyframe)
        shown.append(not packet.is_discard)
    stamps = np.array(pts, np.int64)
    on_screen = np.array(shown, bool)
    distinct = len(np.unique(stamps[on_screen])) == np.count_nonzero(on_screen)
    return PacketTable(
        pts=stamps,
        duration=np.array(duration, np.int64),
        keyframe=np.array(keyframe, bool),
        shown=on_screen,
        exact=complete and distinct,
    )
