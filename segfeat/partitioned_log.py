"""A watch log in partitions of users, one of which is in memory at a time.

``views-00000.parquet`` and so on have the columns ``user_id, video_id, time_ms, watch_ms, duration_ms`` and those of
the log's context, which are text and may have gaps. All views of a user are in one partition; within it rows stand by
user and time, rows of one time in the order of the log. Last is written ``views.json``, which says how many there are,
what was left out and which columns are context: a folder with one is complete.
:func:`segfeat.importers.partitions.partition_log` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segfeat.interactions import Categories, Interactions

NAME = "views.json"
ID_COLUMNS = ("user_id", "video_id")
NUMBER_COLUMNS = ("time_ms", "watch_ms", "duration_ms")


@dataclass(frozen=True)
class PartitionedLog:
    """A complete folder of partitions.

    Attributes
    ----------
    folder : Path
    partitions : int
    views : tuple of int
        Of each partition.
    dropped : mapping of reason to int
        Rows of the log that are not here.
    context : tuple of str
        Context columns that are read.
    """

    folder: Path
    partitions: int
    views: tuple[int, ...]
    dropped: Mapping[str, int]
    context: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(self.views)

    def fingerprint(self) -> str:
        """SHA-256 over the files: equal folders have equal fingerprints."""
        digest = hashlib.sha256()
        for k in range(self.partitions):
            with (self.folder / partition_file(k)).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def __iter__(self) -> Iterator[Interactions]:
        """The partitions, one in memory at a time."""
        return map(self.read, range(self.partitions))

    def read(self, *numbers: int) -> Interactions:
        """The views of some partitions.

        Raises
        ------
        ValueError
            If a file is missing, damaged or not of this format.
        """
        tables = [_read(self.folder / partition_file(k), self.context) for k in numbers]
        # Ids stay codes all the way: there are far fewer of them than views.
        table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        user, video, *context = (_categories(table[name]) for name in (*ID_COLUMNS, *self.context))
        time_ms, watch_ms, duration_ms = (table[name].to_numpy().astype(np.int64) for name in NUMBER_COLUMNS)
        return Interactions(
            user.names,
            video.names,
            user.codes,
            video.codes,
            time_ms,
            watch_ms,
            duration_ms,
            context=dict(zip(self.context, context, strict=True)),
        )

    def with_context(self, names: Sequence[str]) -> PartitionedLog:
        """The same log, read with some of its context columns.

        Raises
        ------
        ValueError
            If it has no column of such a name.
        """
        for name in names:
            if name not in self.context:
                there = ", ".join(self.context) or "none"
                raise ValueError(f"{self.folder}: no context column {name!r}; there are: {there}")
        return replace(self, context=tuple(names))

    def of_users(self, users: Collection[str]) -> Interactions:
        """The views of some users, of whose partitions one is in memory at a time."""
        found, wanted = Interactions.empty(), frozenset(users)
        for k in sorted({partition_of(user, self.partitions) for user in wanted}):
            log = self.read(k)
            here = np.array([user in wanted for user in log.user_ids.tolist()], dtype=bool)
            if here.any():
                found = found.joined(log.take(here[log.user]).compact())
        return found


def partition_of(user: str, partitions: int) -> int:
    """The partition that a user's views are in: the second half of the id's MD5, as a number, modulo how many."""
    return int.from_bytes(hashlib.md5(user.encode(), usedforsecurity=False).digest()[8:], "little") % partitions


def open_partitions(folder: str | Path) -> PartitionedLog:
    """Open what `partition_log` wrote.

    Raises
    ------
    ValueError
        If the folder is none such, or was not finished.
    """
    path = Path(folder) / NAME
    try:
        about = json.loads(path.read_bytes())
        context = tuple(about.get("context", ()))
        return PartitionedLog(Path(folder), about["partitions"], tuple(about["views"]), about["dropped"], context)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: no complete log in partitions: {error}") from error


def partition_file(k: int) -> str:
    """The name of a partition."""
    return f"views-{k:05d}.parquet"


def _categories(column: pa.ChunkedArray) -> Categories:
    coded = column.combine_chunks()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Categories(codes, coded.dictionary.to_numpy(zero_copy_only=False).astype(object))


def _read(path: Path, context: Sequence[str]) -> pa.Table:
    columns, coded = [*ID_COLUMNS, *NUMBER_COLUMNS], [*ID_COLUMNS, *context]
    try:
        table = pq.read_table(path, columns=[*columns, *context], read_dictionary=coded, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path}: cannot be read as a partition of a log: {error}") from error
    wrong = [name for name in columns if name not in table.column_names or table[name].null_count]
    wrong += [name for name in NUMBER_COLUMNS if name not in wrong and not pa.types.is_integer(table[name].type)]
    wrong += [name for name in context if name not in table.column_names]
    wrong += [name for name in coded if name not in wrong and not pa.types.is_dictionary(table[name].type)]
    if wrong:
        raise ValueError(f"{path}: no partition of a log: column {wrong[0]} is missing, has gaps or another type")
    # A partition without views says of its columns that they have no gaps, and others do not.
    return pa.table({name: table[name] for name in (*columns, *context)})
