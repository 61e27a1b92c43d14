"""Checksums that a container carries: FFmpeg writes them into Matroska files, but does not look at them when it reads.

Laid out in RFC 8794 (EBML): an element is an id, a size and its content; the content of one with a checksum begins with
an element of id 0xBF and four bytes, the CRC-32 (little-endian) of all that follows in it.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import IO

_SEGMENT = 0x18538067
_CHECKED = (0x1F43B675, 0x1654AE6B)
"""Clusters, which hold the packets, and the tracks' headers."""

_CRC_HEAD = b"\xbf\x84"

_BLOCK_BYTES = 1 << 20


def broken_checksums(path: Path) -> int:
    """How many parts of a Matroska or WebM file differ from their own checksum; 0 where there are none.

    What cannot be parsed ends the search: the demuxer complains of that.
    """
    broken = 0
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        while head := _head(file):
            identity, size = head
            if identity == _SEGMENT:
                continue  # its children follow
            if size is None:
                break
            end = min(file.tell() + size, length)
            if identity in _CHECKED and file.read(len(_CRC_HEAD)) == _CRC_HEAD:
                broken += int.from_bytes(file.read(4), "little") != _crc(file, end)
            file.seek(end)
    return broken


def _crc(file: IO[bytes], end: int) -> int:
    crc = 0
    while (left := end - file.tell()) > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
        crc = zlib.crc32(block, crc)
    return crc


def _head(file: IO[bytes]) -> tuple[int, int | None] | None:
    """Id and size of the next element, the size None where it is open; None at the end or where nothing makes sense."""
    first = file.read(1)
    if not first or first[0] < 0x10:
        return None
    identity = first + file.read(8 - first[0].bit_length())
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    size = int.from_bytes(bytes([first[0] & ((1 << (8 - length)) - 1)]) + rest, "big")
    return int.from_bytes(identity, "big"), None if size == (1 << 7 * length) - 1 else size
