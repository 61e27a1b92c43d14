"""Clocks that are set anew in the middle of a stream: the time line goes on, as players have it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet

_FORWARD_S = {"mpegts": 10.0, "mpeg": 10.0, "flv": math.inf, "live_flv": 10.0}
"""Formats that are joined without their clocks being joined, and how far one of them may leap forward and mean it."""

_BACK_S = 0.1
"""Decoding times go back by no more than this unless the clock was set."""

_APART_S = 1.0
"""A stream of sound or words whose clock was set with the pictures' ends at most this far from them."""


class Clock:
    """The clock of one stream, which may be set anew.

    Parameters
    ----------
    tick : Fraction
        Seconds of the stream's unit of time.
    forward_s : float
        A longer leap forward is a clock that was set.
    guide : sequence of Fraction
        Shifts of the pictures' clock in seconds: sound that was cut at the same places keeps its place beside them.

    Attributes
    ----------
    shifts : list of Fraction
        Seconds added after each time that the clock was set.
    leaps : list of str
        The same times in words.
    """

    def __init__(self, tick: Fraction, forward_s: float, guide: Sequence[Fraction] = ()) -> None:
        self.shifts: list[Fraction] = []
        self.leaps: list[str] = []
        self._tick, self._forward_s, self._guide = tick, forward_s, guide
        self._shift = 0
        self._steps = (
            0,
            0,
        )  # the last two: what a packet that says nothing lasts is the shorter one, as there are gaps
        self._latest: int | None = None
        self._due: int | None = None

    def read(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """The packets of a stream in file order, on one time line."""
        for packet in packets:
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is not None:
                if self._due is not None and self._leaps(stamp):
                    self.leaps.append(f"from {self._seconds(self._due)} to {self._seconds(stamp + self._shift)}")
                    self._shift = self._next_shift(stamp, self._due)
                    self.shifts.append(self._shift * self._tick)
                now = stamp + self._shift
                if self._latest is not None and now > self._latest:
                    self._steps = (self._steps[1] or now - self._latest, now - self._latest)
                self._latest = now
                self._due = now + (packet.duration or min(self._steps))
                if self._shift:
                    packet.pts = None if packet.pts is None else packet.pts + self._shift
                    packet.dts = None if packet.dts is None else packet.dts + self._shift
            yield packet

    def _leaps(self, stamp: int) -> bool:
        late_s = float((stamp + self._shift - (self._due or 0)) * self._tick)
        return not -_BACK_S <= late_s <= self._forward_s

    def _next_shift(self, stamp: int, due: int) -> int:
        number = len(self.shifts)
        if number < len(self._guide):
            guided = round(self._guide[number] / self._tick)
            if abs(stamp + guided - due) * self._tick <= _APART_S:
                return guided
        return due - stamp

    def _seconds(self, ticks: int) -> str:
        return f"{float(ticks * self._tick):.3f} s"


def leap_of(format_name: str) -> float | None:
    """Seconds that clocks of a container may leap forward; None where they are never set anew."""
    return next((_FORWARD_S[name] for name in format_name.split(",") if name in _FORWARD_S), None)
