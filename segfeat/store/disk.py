"""A file for HDF5 to write to, on a disk that may be full."""

from __future__ import annotations

import os
from io import FileIO


class Disk:
    """A file on which writing never fails: what no longer fits is kept in memory, and the error for later.

    A write that fails inside HDF5 leaves it with a file that it can neither write nor close, and it crashes the
    process in the end. So HDF5 is left to believe that all is well until it has closed the file; the owner looks at
    ``error`` often enough for little to be kept, and throws the file away.

    Attributes
    ----------
    error : OSError or None
        The first one that writing met.
    """

    def __init__(self, raw: FileIO) -> None:
        self.error: OSError | None = None
        self._raw = raw
        self._kept: list[tuple[int, bytes]] = []
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; the end is that of what has been written, on the disk or here."""
        if whence == os.SEEK_END:
            offset += max([self._raw.seek(0, os.SEEK_END), *(at + len(data) for at, data in self._kept)])
        self._at = offset
        return offset

    def tell(self) -> int:
        """The present place."""
        return self._at

    def read(self, size: int) -> bytes:
        """What is here, zeros where nothing has been written."""
        self._raw.seek(self._at)
        found = bytearray((self._raw.read(size) or b"").ljust(size, b"\0"))
        for at, data in self._kept:
            low, high = max(at, self._at), min(at + len(data), self._at + size)
            if low < high:
                found[low - self._at : high - self._at] = data[low - at : high - at]
        self._at += size
        return bytes(found)

    def write(self, data: bytes) -> int:
        """Write at the present place."""
        if self.error is None:
            try:
                self._raw.seek(self._at)
                rest = memoryview(data)
                while rest:
                    rest = rest[self._raw.write(rest) or 0 :]
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._kept.append((self._at, bytes(data)))
        self._at += len(data)
        return len(data)

    def truncate(self, size: int) -> int:
        """Cut off, or extend, to a size."""
        if self.error is None:
            try:
                self._raw.truncate(size)
            except OSError as error:
                self.error = error
        return size

    def flush(self) -> None:
        """Nothing is held back."""
