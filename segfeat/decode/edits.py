"""What the edit list of an mp4 or mov track says of its length."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 10_000
_MOST_EDITS = 10_000

Box = tuple[bytes, int, int]
"""Kind of a box, where its content begins, and where it ends."""


def edited_length_s(path: Path, track_id: int) -> Fraction | None:
    """Seconds that a track is shown for by its edit list, without the emptiness before it; None where there is none.

    The length in the header of the media is made from decoding times, and too short where pictures are reordered and
    the last of them stands for long.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        moov = _first(file, 0, end, b"moov")
        if moov is None:
            return None
        scale = _number(file, _first(file, *moov, b"mvhd"), 12, 20, 4)
        for kind, begin, stop in _boxes(file, *moov):
            if kind == b"trak" and _number(file, _first(file, begin, stop, b"tkhd"), 12, 20, 4) == track_id:
                edts = _first(file, begin, stop, b"edts")
                elst = None if edts is None else _first(file, *edts, b"elst")
                ticks = _edits(file, elst)
                return Fraction(ticks, scale) if ticks and scale else None
    return None


def _edits(file: BinaryIO, elst: tuple[int, int] | None) -> int | None:
    """Ticks of all edits that show something; None where one of them says nothing of its length."""
    if elst is None:
        return None
    file.seek(elst[0])
    head = file.read(8)
    count, wide = int.from_bytes(head[4:8], "big"), bool(head and head[0] == 1)
    size = 8 if wide else 4
    ticks = 0
    for _ in range(min(count, _MOST_EDITS)):
        entry = file.read(2 * size + 4)
        if len(entry) < 2 * size + 4 or file.tell() > elst[1]:
            return None
        length, start = int.from_bytes(entry[:size], "big"), int.from_bytes(entry[size : 2 * size], "big", signed=True)
        if start >= 0:
            if not length:
                return None  # of a file that was written without going back
            ticks += length
    return ticks


def _number(file: BinaryIO, box: tuple[int, int] | None, place: int, wide_place: int, size: int) -> int:
    """A number in a full box, the place of which depends on the version; 0 where there is none."""
    if box is None:
        return 0
    file.seek(box[0])
    head = file.read(wide_place + size)
    at = wide_place if head[:1] == b"\1" else place
    return int.from_bytes(head[at : at + size], "big")


def _first(file: BinaryIO, begin: int, end: int, wanted: bytes) -> tuple[int, int] | None:
    return next(((at, stop) for kind, at, stop in _boxes(file, begin, end) if kind == wanted), None)


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[Box]:
    """The boxes of a stretch."""
    for _ in range(_MOST_BOXES):
        if begin + 8 > end:
            return
        file.seek(begin)
        head = file.read(16)
        size, kind, skip = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, skip = int.from_bytes(head[8:16], "big"), 16
        size = size or end - begin
        if size < skip:
            return
        yield kind, begin + skip, min(begin + size, end)
        begin += size
