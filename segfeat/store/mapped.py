"""The numeric columns of one HDF5 file, mapped once for reading rows here and there."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

AHEAD_BYTES = 1 << 18
"""Neighbouring rows of at least this many bytes are asked for at once; shorter runs are left to page faults."""


class MappedFile:
    """A file mapped as a whole, with the system told not to read ahead.

    Left to itself the system reads far around every page that is touched, and a gather of a few videos reads the whole
    file. Whoever reads columns from end to end is better served by a plain memory map.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_RANDOM"):  # not everywhere
            self._map.madvise(mmap.MADV_RANDOM)

    def column(self, dataset: h5py.Dataset) -> MappedColumn | None:
        """A dataset of the file; None if it is empty or chunked, so that no bytes of the file are its rows."""
        offset = dataset.id.get_offset()
        return None if offset is None else MappedColumn(self._map, offset, dataset.dtype, dataset.shape)


class MappedColumn:
    """Rows of a mapped dataset.

    Attributes
    ----------
    values : (N, ·)
        All rows; read-only.
    """

    def __init__(self, file: mmap.mmap, offset: int, dtype: Any, shape: tuple[int, ...]) -> None:
        self._file, self._offset = file, offset
        self.values: npt.NDArray[Any] = np.frombuffer(file, dtype, int(np.prod(shape)), offset).reshape(shape)
        self._row_bytes = self.values.nbytes // max(1, len(self.values))

    def take(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows (R,) in any order."""
        self._ask_for(rows)
        return self.values[rows]

    def _ask_for(self, rows: npt.NDArray[Any]) -> None:
        """Start reading long runs of neighbours, which one page fault after another would read slowly."""
        least = max(2, AHEAD_BYTES // max(1, self._row_bytes))
        if len(rows) < least or not hasattr(mmap, "MADV_WILLNEED"):
            return
        breaks = np.flatnonzero(np.diff(rows) != 1)
        firsts = np.concatenate([[0], breaks + 1])
        lasts = np.concatenate([breaks, [len(rows) - 1]])
        for k in np.flatnonzero(lasts - firsts + 1 >= least).tolist():
            start = self._offset + int(rows[firsts[k]]) * self._row_bytes
            stop = self._offset + (int(rows[lasts[k]]) + 1) * self._row_bytes
            start -= start % mmap.PAGESIZE
            self._file.madvise(mmap.MADV_WILLNEED, start, stop - start)
