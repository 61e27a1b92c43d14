"""A clock that is set anew continues the time line, and sound that was cut with the pictures stays beside them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pytest

from segfeat.decode.clock import Clock, leap_of

TICK = Fraction(1, 1000)


class Stamped:
    """A packet of 100 ms."""

    def __init__(self, dts: int | None) -> None:
        self.pts = self.dts = dts
        self.duration = 100


def read(clock: Clock, stamps: Iterable[int | None]) -> list[Any]:
    return [packet.pts for packet in clock.read(Stamped(stamp) for stamp in stamps)]  # type: ignore[misc]


@pytest.mark.parametrize("jump", [0, 500, 3_600_000])
def test_a_jump_continues_the_time_line(jump: int) -> None:
    clock = Clock(TICK, 10.0)
    stamps = [1000 + 100 * i for i in range(10)] + [jump + 100 * i for i in range(10)]
    assert read(clock, stamps) == [1000 + 100 * i for i in range(20)]
    assert len(clock.shifts) == len(clock.leaps) == 1


def test_holes_and_small_steps_back_are_no_jumps() -> None:
    clock = Clock(TICK, 10.0)
    stamps = [0, 100, 200, 9000, 9050, None, 9100]
    assert read(clock, stamps) == stamps
    assert not clock.shifts


def test_sound_takes_the_shift_of_the_pictures_where_it_is_near() -> None:
    assert read(Clock(TICK, 10.0, guide=[Fraction(6)]), [5900, 0, 100]) == [5900, 6000, 6100]
    assert read(Clock(TICK, 10.0, guide=[Fraction(63, 10)]), [5900, 0, 100]) == [5900, 6300, 6400]
    assert read(Clock(TICK, 10.0, guide=[Fraction(60)]), [5900, 0, 100]) == [5900, 6000, 6100]


def test_only_streams_that_are_joined_leap() -> None:
    assert leap_of("mpegts") == 10.0
    assert leap_of("mov,mp4,m4a,3gp,3g2,mj2") is None
