"""Files of ready embeddings: one vector a video, or one a segment, in the layouts that people keep them in.

==========================  ========================================================================================
``NAME.parquet``            a column ``video_id``, one column of lists of floats; per segment also ``segment``
``NAME.npy``                a matrix; beside it ``NAME.ids.csv`` (``video_id``, per segment also ``segment``) or
                            ``NAME.ids.txt`` (one video id a line), with a line for every row
``NAME.h5``, ``NAME.hdf5``  ``video_id`` (N,), one float matrix (N, D), per segment also ``segment`` (N,); or one
                            dataset a video under its id: (D,), or (S, D) for its segments in order
==========================  ========================================================================================

Segments are counted from 0. Numbers are float16, float32 or float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.importers.ready_features import DTYPES
from segfeat.log_file import COLUMNS
from segfeat.tables import as_ids, read_table
from segfeat.types import Int64, Names

KEYS = COLUMNS["video"]
"""Columns that say which video a row is about; the first one found."""

SEGMENT = "segment"

BLOCK_ROWS = 16_384
"""Vectors held in memory at a time."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a file.

    Attributes
    ----------
    ids : object (n,)
        Video ids; None where missing.
    segment : int64 (n,) or None
        None: the vectors are of whole videos; -1 where it is no number.
    vectors : float (n, D)
        NaN where a row has none.
    """

    ids: Names
    segment: Int64 | None
    vectors: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A file of embeddings.

    Attributes
    ----------
    path : Path
    count, dim : int
        Vectors, and numbers in each.
    dtype : str
    per_video : bool
        Whether a vector is of a whole video.
    files : tuple of Path
        All that they consist of.
    blocks : callable
        Gives the rows from the first on.
    """

    path: Path
    count: int
    dim: int
    dtype: str
    per_video: bool
    files: tuple[Path, ...]
    blocks: Callable[[], Iterator[Block]]

    def sha256(self) -> str:
        """Of the bytes of all files."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
        return digest.hexdigest()


def open_embeddings(path: str | Path) -> Embeddings:
    """A file of embeddings, its layout checked.

    Raises
    ------
    ValueError
        If the file is missing, or of no known layout, or its numbers are no floats; the message names the file, what
        it has and what was expected.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file of embeddings")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: unknown kind of embeddings {path.suffix!r}; valid are {', '.join(READERS)}")
    return reader(path)


def _parquet(path: Path) -> Embeddings:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {error}") from error
    schema = file.schema_arrow
    key = _key(path, schema.names)
    lists = [f for f in schema if pa.types.is_list(f.type) or pa.types.is_large_list(f.type)]
    lists += [f for f in schema if pa.types.is_fixed_size_list(f.type)]
    if len(lists) != 1:
        found = ", ".join(f"{f.name} ({f.type})" for f in schema)
        raise ValueError(f"{path}: one column of lists of floats is needed, not {len(lists)}; it has {found}")
    (vector,) = lists
    if not pa.types.is_floating(vector.type.value_type):
        raise ValueError(_wrong_numbers(path, str(vector.type.value_type)))
    dtype = {"halffloat": "float16", "float": "float32", "double": "float64"}[str(vector.type.value_type)]
    per_video = SEGMENT not in schema.names
    columns = [key, vector.name, *([] if per_video else [SEGMENT])]
    dim = _first_length(file, vector.name)
    if not dim:
        raise ValueError(f"{path}: column {vector.name} holds no vector")

    def blocks() -> Iterator[Block]:
        row = 0
        for batch in file.iter_batches(BLOCK_ROWS, columns=columns):
            table = batch.to_pandas()
            vectors = np.full((len(table), dim), np.nan, dtype)
            for i, values in enumerate(table[vector.name]):
                if values is None:
                    continue
                if len(values) != dim:
                    raise ValueError(f"{path}: row {row + i} has {len(values)} numbers, those before it have {dim}")
                vectors[i] = values
            row += len(table)
            yield Block(_ids(table[key]), None if per_video else _segments(table[SEGMENT]), vectors)

    return Embeddings(path, file.metadata.num_rows, dim, dtype, per_video, (path,), blocks)


def _first_length(file: Any, column: str) -> int:
    """Numbers in the first vector of a Parquet file; 0 where it holds none."""
    for batch in file.iter_batches(BLOCK_ROWS, columns=[column]):
        for values in batch.column(0):
            if values.is_valid:
                return len(values)
    return 0


def _npy(path: Path) -> Embeddings:
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read as a numpy array: {error}") from error
    _check_matrix(path, matrix)
    table, text = path.with_suffix(".ids.csv"), path.with_suffix(".ids.txt")
    segment: Int64 | None = None
    if table.is_file():
        beside = read_table(table, "ids of embeddings")
        ids = _ids(beside[_key(table, list(map(str, beside.columns)))])
        segment = _segments(beside[SEGMENT]) if SEGMENT in beside.columns else None
    elif text.is_file():
        lines = text.read_text(encoding="utf-8-sig").splitlines()
        ids = np.array([line.strip() or None for line in lines], dtype=object)
    else:
        raise ValueError(f"{path}: whose vectors? Needed beside it is {table.name} or {text.name}")
    beside_it = table if table.is_file() else text
    if len(ids) != len(matrix):
        raise ValueError(f"{beside_it}: {len(ids):,} rows for the {len(matrix):,} vectors of {path.name}")
    blocks = _of_matrix(matrix, lambda a, b: (ids[a:b], None if segment is None else segment[a:b]))
    count, dim = matrix.shape
    return Embeddings(path, count, dim, str(matrix.dtype), segment is None, (path, beside_it), blocks)


def _hdf5(path: Path) -> Embeddings:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read as HDF5: {error}") from error
    datasets = {name: node for name, node in file.items() if isinstance(node, h5py.Dataset)}
    if not datasets:
        raise ValueError(f"{path}: no dataset at its top level; it has {', '.join(file) or 'nothing'}")
    if not set(KEYS) & set(datasets):
        return _one_dataset_a_video(path, datasets)
    key = _key(path, list(datasets))
    matrices = [name for name, node in datasets.items() if node.ndim == 2]
    if len(matrices) != 1:
        raise ValueError(f"{path}: one matrix beside {key} is needed, not {len(matrices)}: {_shapes(datasets)}")
    matrix = datasets[matrices[0]]
    _check_matrix(path, matrix)
    for name in (key, SEGMENT):
        if name in datasets and datasets[name].shape != (len(matrix),):
            raise ValueError(f"{path}: {name} has shape {datasets[name].shape}, the vectors are {len(matrix):,}")
    ids = datasets[key].asstr() if h5py.check_string_dtype(datasets[key].dtype) else datasets[key]
    segment = datasets.get(SEGMENT)

    def who(a: int, b: int) -> tuple[Names, Int64 | None]:
        import pandas as pd

        return _ids(pd.Series(ids[a:b])), None if segment is None else _segments(pd.Series(segment[a:b]))

    count, dim = matrix.shape
    return Embeddings(path, count, dim, str(matrix.dtype), segment is None, (path,), _of_matrix(matrix, who))


def _one_dataset_a_video(path: Path, datasets: dict[str, Any]) -> Embeddings:
    first_name, first = next(iter(datasets.items()))
    per_video, dim = first.ndim == 1, first.shape[-1] if first.ndim else 0
    for name, node in datasets.items():
        if node.ndim not in (1, 2) or (node.ndim, node.shape[-1]) != (first.ndim, dim) or not dim:
            raise ValueError(
                f"{path}: one dataset a video (there is no {KEYS[0]}), but {name!r} has shape {node.shape} and "
                f"{first_name!r} {first.shape}; expected are (D,) for all or (S, D) for all"
            )
        if str(node.dtype) not in DTYPES:
            raise ValueError(_wrong_numbers(path, str(node.dtype)))

    def blocks() -> Iterator[Block]:
        for name, node in datasets.items():
            vectors = node[:].reshape(-1, dim)
            ids = np.full(len(vectors), name, dtype=object)
            yield Block(ids, None if per_video else np.arange(len(vectors)), vectors)

    count = sum(1 if per_video else len(node) for node in datasets.values())
    return Embeddings(path, count, dim, str(first.dtype), per_video, (path,), blocks)


READERS: dict[str, Callable[[Path], Embeddings]] = {
    ".parquet": _parquet,
    ".npy": _npy,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}
"""Suffix -> function that opens such a file."""


def _of_matrix(matrix: Any, who: Callable[[int, int], tuple[Names, Int64 | None]]) -> Callable[[], Iterator[Block]]:
    def blocks() -> Iterator[Block]:
        for start in range(0, len(matrix), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(matrix))
            yield Block(*who(start, stop), np.asarray(matrix[start:stop]))

    return blocks


def _check_matrix(path: Path, matrix: Any) -> None:
    if matrix.ndim != 2 or not matrix.shape[0] or not matrix.shape[1]:
        raise ValueError(f"{path}: a matrix (vectors, numbers) is needed, not shape {matrix.shape}")
    if str(matrix.dtype) not in DTYPES:
        raise ValueError(_wrong_numbers(path, str(matrix.dtype)))


def _key(path: Path, names: list[str]) -> str:
    for key in KEYS:
        if key in names:
            return key
    raise ValueError(f"{path}: missing column {' or '.join(KEYS)}; found {', '.join(names)}")


def _ids(column: Any) -> Names:
    """Ids as strings; None where missing."""
    found: Names = as_ids(column).to_numpy(dtype=object)
    return np.array([v if isinstance(v, str) else None for v in found.tolist()], dtype=object)


def _segments(column: Any) -> Int64:
    """Numbers of segments; -1 where there is none."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    whole = np.isfinite(numbers) & (numbers % 1 == 0) & (numbers >= 0)
    return np.where(whole, numbers, -1).astype(np.int64)


def _wrong_numbers(path: Path, dtype: str) -> str:
    return f"{path}: numbers of type {dtype}; valid are {', '.join(DTYPES)}"


def _shapes(datasets: dict[str, Any]) -> str:
    return ", ".join(f"{name} {node.shape}" for name, node in datasets.items())
