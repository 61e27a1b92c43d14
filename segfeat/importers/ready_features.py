"""Features that somebody else computed: a raw matrix of numbers and a JSON index into its rows, as SegMM has them.

The matrix has no header; its rows are ``dim`` numbers of one ``dtype``. The index maps ``"{video_id}-{segment}"``,
segments counted from 0, to a row. A matrix published in parts is one file after ``cat part1 part2 … > matrix``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.types import Bool, EncoderSpec

SEGMM_DIM = 1024
"""Feature dimensions of the SegMM release (CLIP ViT-L/14-336)."""

DTYPES = ("float64", "float32", "float16")
"""Number types a matrix may have; SegMM's is the first."""


class ReadyFeatures:
    """A feature matrix with its index, memory-mapped: rows are read as they are asked for.

    Parameters
    ----------
    matrix, index : path
        The raw matrix and its JSON index.
    dim : int
        Numbers a row.
    dtype : str
        One of ``DTYPES``.

    Raises
    ------
    ValueError
        If a file is missing or malformed, or size, ``dim``, ``dtype`` and index do not fit each other.
    """

    def __init__(self, matrix: str | Path, index: str | Path, dim: int = SEGMM_DIM, dtype: str = DTYPES[0]) -> None:
        self.matrix, self.index, self.dtype = Path(matrix), Path(index), dtype
        if dtype not in DTYPES:
            raise ValueError(f"unknown number type {dtype!r}; valid are {', '.join(DTYPES)}")
        if dim < 1:
            raise ValueError(f"features need at least one dimension, not {dim}")
        for path in (self.matrix, self.index):
            if not path.is_file():
                raise ValueError(f"{path}: no such file")
        text = self.index.read_bytes()
        self.row_of = _row_table(text, self.index)
        digest = hashlib.sha256(text).hexdigest()
        self._rows = self._map(dim)
        self.spec = EncoderSpec(
            name=f"ready:{self.matrix.name}",
            modality="visual",
            dim=dim,
            model="not known here: features were delivered ready-made",
            weights=f"{self.matrix.name}, {len(self._rows)} rows of {dtype}; index sha256:{digest}",
            pooling="as delivered, one vector a segment",
        )

    def segments(self, video_id: str, count: int) -> tuple[npt.NDArray[np.float16], Bool]:
        """Features of a video's first ``count`` segments.

        Returns
        -------
        features : float16 (count, D)
            Zeros where the index has no such segment.
        valid : bool (count,)

        Raises
        ------
        ValueError
            If a number is not finite in half precision; the message names segment and row.
        """
        rows = [self.row_of.get(f"{video_id}-{i}", -1) for i in range(count)]
        found = np.array(rows) >= 0
        features = np.zeros((count, self.spec.dim), dtype=np.float16)
        with np.errstate(over="ignore"):
            features[found] = self._rows[[r for r in rows if r >= 0]]
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            segment = int(np.flatnonzero(~finite)[0])
            raise ValueError(
                f"{self.matrix}: row {rows[segment]} (video {video_id!r}, segment {segment}) has numbers that are not "
                f"finite in half precision; is {self.dtype} the right number type?"
            )
        return features, found

    def _map(self, dim: int) -> npt.NDArray[Any]:
        """The matrix (rows, dim), proven to be what the index speaks of.

        A matrix read with another dtype or dim has another number of rows, so the index must end where the matrix
        ends. Only unused space, zeros, may follow.
        """
        size, needed = self.matrix.stat().st_size, max(self.row_of.values()) + 1
        fitting = [d for d in DTYPES if size == needed * dim * np.dtype(d).itemsize]
        hint = f"; {fitting[0]} would fit exactly" if fitting else ""
        rows, rest = divmod(size, dim * np.dtype(self.dtype).itemsize)
        if rest:
            raise ValueError(f"{self.matrix}: {size} bytes are no whole number of {dim} {self.dtype} numbers{hint}")
        matrix = np.memmap(self.matrix, dtype=self.dtype, mode="r", shape=(rows, dim)) if rows else np.zeros((0, dim))
        if rows < needed or (rows > needed and (matrix[[needed, -1]] != 0).any()):
            raise ValueError(
                f"{self.matrix}: {rows} rows of {dim} {self.dtype} numbers, but {self.index} ends at row {needed}{hint}"
            )
        return matrix


def _row_table(text: bytes, path: Path) -> dict[str, int]:
    try:
        table: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    if not isinstance(table, dict) or not table:
        raise ValueError(f"{path}: not an index; expected a JSON object of 'video-segment': row")
    for key, row in table.items():
        if type(row) is not int or row < 0:
            raise ValueError(f"{path}: {key!r} has {row!r} instead of a row number")
    return table
