"""What an importer is given, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segfeat.importers.descriptions import Columns, Descriptions, read_descriptions
from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions


@dataclass(frozen=True)
class Files:
    """The files of a public data set.

    Attributes
    ----------
    logs : tuple of paths
        Watch logs: CSV, CSV.gz or Parquet.
    metadata, users : path or None
        Tables about the videos and about the users, one row for each.
    context : tuple of str
        Columns of the logs to be kept as categories.
    attributes : tuple of str or None
        Columns of ``metadata`` to be kept as attributes; None for those that the format usually keeps.
    unit_ms : mapping of field to float
        Milliseconds in one unit of the logs' numbers, where it is another than the format's own.
    """

    logs: tuple[Path, ...]
    metadata: Path | None = None
    users: Path | None = None
    context: tuple[str, ...] = ()
    attributes: tuple[str, ...] | None = None
    unit_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Imported:
    """A data set in our own words: its log, and what is known about its videos and users besides.

    ``log.dropped`` counts the rows that could not be read.
    """

    log: Interactions
    videos: Descriptions = field(default_factory=Descriptions)
    users: Descriptions = field(default_factory=Descriptions)


def read_tables(
    files: Files,
    log: Mapping[str, tuple[str, ...]],
    videos: Columns,
    users: Columns,
    unit_ms: Mapping[str, float] | None = None,
) -> Imported:
    """Read a data set whose log and tables differ from ours in their columns' names and units only.

    Parameters
    ----------
    files : Files
    log : mapping of field to tuple of str
        Accepted column names of each field of the log.
    videos, users : Columns
        Of ``files.metadata`` and ``files.users``.
    unit_ms : mapping of field to float, optional
        Milliseconds in one unit of the log's numbers, where it is not 1.

    Raises
    ------
    ValueError
        If a file cannot be read or lacks a column, or attributes are chosen without a table to choose them from.
    """
    if files.attributes is not None and files.metadata is None:
        raise ValueError(f"attributes {', '.join(files.attributes)} are chosen, but no metadata file is given")
    return Imported(
        read_interactions(files.logs, columns=log, context=files.context, unit_ms={**(unit_ms or {}), **files.unit_ms}),
        read_descriptions(files.metadata, "metadata", videos, files.attributes) if files.metadata else Descriptions(),
        read_descriptions(files.users, "users", users) if files.users else Descriptions(),
    )
