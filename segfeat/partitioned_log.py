"""A watch log in partitions of users, one of which is in memory at a time.

``views-00000.parquet`` and so on have the columns ``user_id, video_id, time_ms, watch_ms, duration_ms``. All views of a
user are in one partition; within it rows stand by user and time, rows of one time in the order of the log. Last is
written ``views.json``, which says how many there are and what was left out: a folder with one is complete.
:func:`segfeat.importers.partitions.partition_log` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions

NAME = "views.json"


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

    def __iter__(self) -> Iterator[Interactions]:
        """The partitions, one in memory at a time."""
        return map(self.read, range(self.partitions))

    def read(self, *numbers: int) -> Interactions:
        """The views of some partitions."""
        return read_interactions([self.folder / partition_file(k) for k in numbers])


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
