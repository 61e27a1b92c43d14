"""A watch log in partitions of users, one of which is in memory at a time.

``views-00000.parquet`` and so on have the columns ``user_id, video_id, time_ms, watch_ms, duration_ms``. All views of a
user are in one partition; within it rows stand by user and time, rows of one time in the order of the log. Last is
written ``views.json``, which says how many there are and what was left out: a folder with one is complete.
:func:`segfeat.importers.partitions.partition_log` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segfeat.interactions import Interactions

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
    """

    folder: Path
    partitions: int
    views: tuple[int, ...]
    dropped: Mapping[str, int]

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
        tables = [_read(self.folder / partition_file(k)) for k in numbers]
        # Ids stay codes all the way: there are far fewer of them than views.
        table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        ids, codes = {}, {}
        for name in ID_COLUMNS:
            column = table[name].combine_chunks()
            ids[name] = column.dictionary.to_numpy(zero_copy_only=False).astype(object)
            codes[name] = column.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        return Interactions(
            *ids.values(), *codes.values(), *(table[name].to_numpy().astype(np.int64) for name in NUMBER_COLUMNS)
        )

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
        return PartitionedLog(Path(folder), about["partitions"], tuple(about["views"]), about["dropped"])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: no complete log in partitions: {error}") from error


def partition_file(k: int) -> str:
    """The name of a partition."""
    return f"views-{k:05d}.parquet"


def _read(path: Path) -> pa.Table:
    columns = [*ID_COLUMNS, *NUMBER_COLUMNS]
    try:
        table = pq.read_table(path, columns=columns, read_dictionary=list(ID_COLUMNS), partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path}: cannot be read as a partition of a log: {error}") from error
    wrong = [name for name in columns if name not in table.column_names or table[name].null_count]
    wrong += [name for name in NUMBER_COLUMNS if name not in wrong and not pa.types.is_integer(table[name].type)]
    wrong += [name for name in ID_COLUMNS if name not in wrong and not pa.types.is_dictionary(table[name].type)]
    if wrong:
        raise ValueError(f"{path}: no partition of a log: column {wrong[0]} is missing, has gaps or another type")
    return table
