"""Rows of several arrays, one after another, as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class PartedColumn:
    """A read-only column (N, ·) whose rows lie in several places; they are fetched as they are asked for.

    Parameters
    ----------
    runs : sequence of (part, start, stop)
        Which rows of which part follow one another.
    take : callable
        ``take(part, rows)``: rows of a part.
    shape, dtype
        Of the whole column.
    as_stored : bool
        Rows are taken in the precision of the parts that they lie in, whatever ``dtype`` says.
    """

    def __init__(
        self,
        runs: Sequence[tuple[int, int, int]],
        take: Callable[[int, npt.NDArray[Any]], npt.NDArray[Any]],
        shape: tuple[int, ...],
        dtype: Any,
        as_stored: bool = False,
    ) -> None:
        self.shape, self.dtype, self.as_stored, self._take = shape, np.dtype(dtype), as_stored, take
        self._part = np.array([part for part, _, _ in runs], dtype=np.int64)
        self._first = np.array([start for _, start, _ in runs], dtype=np.int64)
        self._start = np.concatenate([[0], np.cumsum([stop - start for _, start, stop in runs])]).astype(np.int64)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        if isinstance(key, tuple):
            rows = self[key[0]]
            return (
                rows[key[1:]]
                if np.ndim(key[0]) == 0 and not isinstance(key[0], slice)
                else rows[(slice(None), *key[1:])]
            )
        # NumPy knows all ways to say which rows; a range of views of one number each costs nothing.
        at = np.arange(len(self))[key] if not isinstance(key, slice) else np.arange(*key.indices(len(self)))
        return self.take(at.reshape(-1)).reshape(*at.shape, *self.shape[1:])

    def take(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows (R,), counted from the end where negative; IndexError beyond the column, as for an array."""
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a column of {len(self)}")
        rows = np.where(rows < 0, rows + len(self), rows)
        run = np.searchsorted(self._start, rows, side="right") - 1
        part, inside = self._part[run], rows - self._start[run] + self._first[run]
        if len(part) and (part == part[0]).all():
            return self._take(int(part[0]), inside)
        order = np.argsort(part, kind="stable")
        by_part = np.split(order, np.flatnonzero(np.diff(part[order])) + 1) if len(order) else []
        found: npt.NDArray[Any] | None = None
        for places in by_part:
            values = self._take(int(part[places[0]]), inside[places])
            if found is None:
                found = np.empty((len(rows), *self.shape[1:]), values.dtype if self.as_stored else self.dtype)
            elif self.as_stored:  # parts of another precision
                found = found.astype(np.result_type(found, values), copy=False)
            found[places] = values
        return np.empty((0, *self.shape[1:]), self.dtype) if found is None else found
