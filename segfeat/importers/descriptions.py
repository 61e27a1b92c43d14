"""Tables about videos or users: one row for each, columns of categories and of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.attribute import Attribute
from segfeat.log_check import unit_of_lengths
from segfeat.tables import as_ids, read_table
from segfeat.types import Int64, Names

if TYPE_CHECKING:
    import pandas as pd

SEPARATOR = "|"
"""Between the categories of a cell that has several."""

WORDS = ("title", "caption", "description")
"""Columns of words about a video; the words of all that a table has are joined in this order."""


@dataclass(frozen=True, eq=False)
class Descriptions:
    """What a table says about N videos or users.

    Attributes
    ----------
    ids : object (N,)
        Strings, each once.
    words : object (N,)
        Empty where there are none.
    duration_ms : int64 (N,)
        Length of the video; 0 where unknown.
    attributes : mapping of name to Attribute
        Each of N rows.
    left_out : mapping of column to str
        Columns of the table that are none of these, and why.
    dropped : mapping of reason to int
        Rows of the table that are not here.
    """

    ids: Names = field(default_factory=lambda: np.zeros(0, dtype=object))
    words: Names = field(default_factory=lambda: np.zeros(0, dtype=object))
    duration_ms: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Where each id stands."""
        return {v: i for i, v in enumerate(self.ids.tolist())}


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean.

    Attributes
    ----------
    key : tuple of str
        The id; the first one found.
    words : tuple of str
        Joined to the words about a video, those that there are.
    duration : tuple of str
        The length of a video; the first one found, if any.
    duration_ms : float
        Milliseconds in one unit of ``duration``.
    attributes : tuple of str or None
        Kept as attributes, those that there are; None for the rule of `usual_attributes`.
    separator : str
        Between the categories of one cell.
    """

    key: tuple[str, ...]
    words: tuple[str, ...] = ()
    duration: tuple[str, ...] = ()
    duration_ms: float = 1.0
    attributes: tuple[str, ...] | None = None
    separator: str = SEPARATOR


def read_descriptions(path: Path, what: str, columns: Columns, chosen: Sequence[str] | None = None) -> Descriptions:
    """Read a table about videos or users.

    Rows without an id, and those after the first with the same id, are dropped and counted.

    Parameters
    ----------
    path : path
        CSV, CSV.gz or Parquet.
    what : str
        What the table is, for messages: ``metadata`` or ``users``.
    columns : Columns
    chosen : sequence of str, optional
        The columns to be kept as attributes, instead of those of ``columns``.

    Raises
    ------
    ValueError
        If the file cannot be read, or lacks the id or a chosen column; the message names the columns that it has.
    """
    table = read_table(path, what)
    key = next((k for k in columns.key if k in table.columns), None)
    absent = [] if key else [" or ".join(columns.key)]
    absent += [c for c in chosen or () if c not in table.columns]
    if absent:
        raise ValueError(f"{path}: missing column(s) {', '.join(absent)}; found {', '.join(map(str, table.columns))}")
    ids = as_ids(table[key])
    keep = ids.notna() & ~ids.duplicated()
    dropped = {"missing id": int(ids.isna().sum()), "repeated id": int((ids.duplicated() & ids.notna()).sum())}
    table = table[keep].reset_index(drop=True)

    words = [c for c in columns.words if c in table.columns]
    length = next((c for c in columns.duration if c in table.columns), None)
    rest = [str(c) for c in table.columns if c not in {key, length, *words}]
    cells = {c: _categories(table[c], columns.separator) for c in (chosen if chosen is not None else rest)}
    if chosen is not None:
        left_out = {c: "not chosen" for c in rest if c not in chosen}
    elif columns.attributes is not None:
        left_out = {c: "not among the format's attributes" for c in rest if c not in columns.attributes}
    else:
        left_out = {c: why for c in rest if (why := _not_usual(c, table[c], cells[c]))}
    return Descriptions(
        ids[keep].to_numpy(dtype=object),
        _joined(table, words),
        _lengths(table, length, columns.duration_ms, path),
        {c: attribute for c, attribute in cells.items() if c not in left_out},
        left_out,
        {reason: n for reason, n in dropped.items() if n},
    )


def _not_usual(name: str, column: pd.Series, attribute: Attribute) -> str:
    """Why a column is no attribute unless somebody chooses it; empty where it is one.

    A column is an attribute by default where its name says that it holds ids or tags (it ends in ``id``, ``ids``,
    ``tag`` or ``tags``), or where its categories repeat: at most half as many as rows that have one. Numbers with
    fractions are quantities, and no attributes.
    """
    import pandas as pd

    if name.lower().endswith(("id", "ids", "tag", "tags")):
        return ""
    if not attribute.known:
        return "empty"
    if 2 * len(attribute.names) > attribute.known:
        return f"{len(attribute.names):,} categories for {attribute.known:,} rows"
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() == column.notna().sum() and (numbers.dropna() % 1 != 0).any():
        return "numbers with fractions"
    return ""


def _categories(column: pd.Series, separator: str) -> Attribute:
    """A column's cells, taken apart; whole numbers lose their ``.0``."""
    cells = as_ids(column, whole=False).fillna("")
    if cells.str.fullmatch(r"(-?\d+(\.0+)?)?").all():
        cells = cells.str.replace(r"\.0+$", "", regex=True)
    return Attribute.of([part for p in cell.split(separator) if (part := p.strip())] for cell in cells.tolist())


def _joined(table: pd.DataFrame, columns: Sequence[str]) -> Names:
    """The words of all columns (N,), single-spaced."""
    texts = [table[c].fillna("").astype(str).tolist() for c in columns] or [[""] * len(table)]
    return np.array([" ".join(" ".join(cells).split()) for cells in zip(*texts, strict=True)], dtype=object)


def _lengths(table: pd.DataFrame, column: str | None, unit_ms: float, path: Path) -> Int64:
    """Lengths (N,) in ms, 0 where unknown or no number; ValueError where they cannot be in the unit that they claim."""
    import pandas as pd

    if column is None:
        return np.zeros(len(table), dtype=np.int64)
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float) * unit_ms
    known = np.where((values > 0) & (values < 2**53), np.rint(np.nan_to_num(values, posinf=0)), 0).astype(np.int64)
    if known.any():
        middle = float(np.median(known[known > 0]))
        if unit := unit_of_lengths(middle):
            raise ValueError(
                f"{path}: column {column} is in another unit than this format's: half of the videos would be "
                f"{'shorter' if unit == 's' else 'longer'} than {middle / 1000:,.3g} s"
            )
    return known
