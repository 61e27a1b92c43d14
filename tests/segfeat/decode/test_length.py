"""The length of a video against a slow reference that looks at every picture, on thousands of made-up files."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest

from segfeat.decode.clock import Clock
from segfeat.decode.packets import PacketTable, read_table

CASES = 10_000
TICK = Fraction(1, 1000)
STEP = 40


@dataclass
class Sample:
    """A packet, as far as a table is made of it."""

    pts: int | None
    dts: int
    duration: int
    is_keyframe: bool = False
    is_discard: bool = False


@dataclass(frozen=True)
class Shown:
    """A decoded picture: when it comes on screen and when it leaves."""

    start: int
    leave: int


@dataclass(frozen=True)
class Made:
    """A file: its packets, what its header says of its track, and every picture that is seen."""

    packets: list[Sample]
    pictures: list[Shown]
    track: int | None = None
    indexed: bool = False
    leaps: int = 0
    guessed: bool = False


def reference(pictures: list[Shown]) -> int:
    """Ticks from the moment the first picture comes on screen to the moment the last one leaves it."""
    begin, end = pictures[0].start, pictures[0].leave
    for picture in pictures:
        begin, end = min(begin, picture.start), max(end, picture.leave)
    return end - begin


def decoding_order(count: int, between: int) -> list[int]:
    """Places in the order of showing: every anchor comes before the pictures between it and the one before."""
    order, place = [0], 1
    while place < count:
        anchor = min(place + between, count - 1)
        order += [anchor, *range(place, anchor)]
        place = anchor + 1
    return order


def encoded(starts: list[int], between: int) -> tuple[list[int], list[int]]:
    """Presentation and decoding times in decoding order; no picture is shown before it is decoded."""
    order = decoding_order(len(starts), between)
    delay = max(due - starts[place] for due, place in zip(starts, order, strict=True))
    return [starts[place] for place in order], [due - delay for due in starts]


def lengths(dice: random.Random, count: int) -> list[int]:
    """How long pictures last: all the same, or with pauses, or any."""
    kind = dice.randrange(3)
    if kind == 0:
        return [STEP] * count
    if kind == 1:
        return [STEP * dice.choice((1, 1, 1, 1, 250)) for _ in range(count)]
    return [dice.randint(1, 400) for _ in range(count)]


def starts_of(lasting: list[int], first: int = 0) -> list[int]:
    starts = [first]
    for length in lasting[:-1]:
        starts.append(starts[-1] + length)
    return starts


def mp4(dice: random.Random) -> Made:
    """Durations are steps of decoding; an edit list hides pictures at both ends, and cuts the last one short."""
    lasting = lengths(dice, dice.randint(1, 30))
    starts = starts_of(lasting, dice.choice((0, 0, 80, 3000)))
    pts, dts = encoded(starts, dice.randrange(4))
    reordered = any(a > b for a, b in pairwise(pts))
    steps = [b - a for a, b in pairwise(dts)]
    # How long the last sample lasts is anybody's guess where pictures are reordered.
    steps.append(dice.choice((lasting[-1], STEP, 1, 0, 5000)) if reordered else lasting[-1])
    begin = starts[dice.randrange(len(starts)) if dice.random() < 0.3 else 0]
    end = starts[-1] + lasting[-1]
    if reordered and dice.random() < 0.3:
        end = dice.randint(begin + 1, end)
    packets = [Sample(p, d, s, is_discard=not begin <= p < end) for p, d, s in zip(pts, dts, steps, strict=True)]
    pictures = [
        Shown(start, min(start + length, end))
        for start, length in zip(starts, lasting, strict=True)
        if begin <= start < end
    ]
    return Made(packets, pictures, track=end - begin, indexed=True)


def matroska(dice: random.Random) -> Made:
    """Durations are how long pictures are shown, or not there."""
    silent = dice.random() < 0.5
    count = dice.randint(1, 30)
    lasting = [STEP] * count if silent else lengths(dice, count)
    starts = starts_of(lasting, dice.choice((0, 2000)))
    pts, dts = encoded(starts, dice.randrange(4))
    leaves = dict(zip(starts, lasting, strict=True))
    packets = [Sample(p, d, 0 if silent else leaves[p]) for p, d in zip(pts, dts, strict=True)]
    return Made(packets, [Shown(start, start + leaves[start]) for start in starts])


def joined_streams(dice: random.Random) -> Made:
    """Transport streams one after the other: the clock is set anew, back or far ahead, and the next one goes on."""
    between = dice.randrange(4)
    silent = dice.random() < 0.5
    base, now, packets, pictures = dice.randrange(10**6), 0, list[Sample](), list[Shown]()
    parts = dice.randint(1, 4)
    for number in range(parts):
        count = dice.randint(4, 20)
        if between or silent:
            lasting = [STEP] * count
        else:
            lasting = [dice.randint(1, 400) for _ in range(count)]
        if not between and dice.random() < 0.5:
            lasting[dice.randrange(2, count - 1)] += dice.randint(100, 9000)  # packets are missing
        starts = starts_of(lasting)
        pts, dts = encoded(starts, between)
        durations = [0] * count if silent else [min(length, 400) for length in lasting]
        packets += [Sample(base + p, base + d, s) for p, d, s in zip(pts, dts, durations, strict=True)]
        pictures += [Shown(now + start, now + start + n) for start, n in zip(starts, lasting, strict=True)]
        now += starts[-1] + lasting[-1]
        end = base + dts[-1] + lasting[-1]
        base = dice.choice((end - dice.randint(500, 10**5), end + dice.randint(15_000, 10**7)))
        assert number < parts
    return Made(packets, pictures, leaps=parts - 1)


def decoding_times(dice: random.Random) -> Made:
    """AVI and its like: packets in decoding order, one step apart, and presentation times that are guesses."""
    count = dice.randint(1, 40)
    first = dice.choice((0, 0, 400))
    packets = [Sample(first + STEP * i, first + STEP * i, STEP) for i in range(count)]
    return Made(packets, [Shown(STEP * i, STEP * (i + 1)) for i in range(count)], guessed=True)


def table_of(made: Made) -> PacketTable:
    clock = Clock(TICK, 10.0)
    packets = clock.read(made.packets) if made.leaps else made.packets  # type: ignore[arg-type]
    table = read_table(packets, STEP)  # type: ignore[arg-type]
    assert len(clock.leaps) == made.leaps
    return table.in_output_order(table.start) if made.guessed else table


@pytest.mark.parametrize("make", [mp4, matroska, joined_streams, decoding_times])
def test_the_length_is_that_of_the_pictures(make: Callable[[random.Random], Made]) -> None:
    for seed in range(CASES // 4):
        made = make(random.Random(seed))
        table = table_of(made)
        length = table.length(STEP, made.track, made.indexed)
        assert length == reference(made.pictures), f"case {seed}"
        assert len(table.timeline) == len({picture.start for picture in made.pictures}), f"case {seed}"
        assert (table.timeline - table.start).tolist() == sorted(
            picture.start - made.pictures[0].start for picture in made.pictures
        ), f"case {seed}"
