"""What became of the files of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segfeat.importers.descriptions import Descriptions
from segfeat.log_check import LogCheck


@dataclass(frozen=True)
class TableSummary:
    """A table about videos or users.

    Attributes
    ----------
    rows : int
        Videos or users in it, each counted once.
    of_log : int
        Videos or users of the store's log that are among them.
    attributes : mapping of name to int
        How many categories each has.
    left_out : mapping of column to str
        Columns that are no attributes, and why.
    dropped : mapping of reason to int
        Rows that could not be used.
    """

    rows: int
    of_log: int
    attributes: Mapping[str, int]
    left_out: Mapping[str, str]
    dropped: Mapping[str, int]

    @classmethod
    def of(cls, table: Descriptions, log_ids: list[str]) -> TableSummary:
        """Of a table, beside the ids of the log."""
        return cls(
            len(table),
            sum(v in table.rows for v in log_ids),
            {name: len(attribute.names) for name, attribute in table.attributes.items()},
            dict(table.left_out),
            dict(table.dropped),
        )


@dataclass(frozen=True)
class ImportSummary:
    """What became of a data set.

    Attributes
    ----------
    rows_read : int
        Rows of the log files.
    dropped : mapping of reason to int
        Rows that are not in the store.
    views, users, videos, segments : int
        What is in the store; videos that are only described, and their segments, are not counted here.
    completed : int
        Views that lasted at least as long as their video.
    several_durations : int
        Videos whose rows disagree on the duration; the most frequent one was taken.
    segments_with_features, videos_with_features : int
        0 where no features were given. A video counts if all of its segments have features.
    only_described, only_described_with_length : int
        Videos of the metadata that no usable view names, and those of them whose length the metadata knows.
    videos_with_words : int
        Videos with words.
    words_encoder : str
        What encoded them; empty where nothing did.
    context : mapping of name to int
        Categories of each column of the log that was kept.
    metadata, user_table : TableSummary or None
        None where no such table was given.
    check : LogCheck
        What the log holds.
    """

    check: LogCheck
    rows_read: int
    dropped: Mapping[str, int]
    views: int
    users: int
    videos: int
    segments: int
    completed: int
    several_durations: int
    segments_with_features: int = 0
    videos_with_features: int = 0
    only_described: int = 0
    only_described_with_length: int = 0
    videos_with_words: int = 0
    words_encoder: str = ""
    context: Mapping[str, int] = field(default_factory=dict)
    metadata: TableSummary | None = None
    user_table: TableSummary | None = None
