"""Kinds: what a name says of each view, by an attribute of the store, a column of the log, or a table of any file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segfeat.tables import as_ids, read_table
from segfeat.types import Bool
from segmodel.data.views import Views

Values = Sequence[tuple[str, ...]]
"""The values of each view: often one, several where a cell holds several, none where nothing is known."""


def view_values(name: str, views: Views, store: FeatureStore, log: Interactions) -> dict[str, Values]:
    """What ``FILE:COLUMN[,COLUMN]``, an attribute of videos or users, or a column of the log says of each view.

    A file is any table with ``user_id`` or ``video_id``; a cell may hold several values with ``|`` between them.

    Parameters
    ----------
    name : str
    views : Views
    store : FeatureStore
    log : Interactions
        Which the views were made from: ``views.log_row`` are rows of it.

    Returns
    -------
    name of the column or attribute -> values (V)

    Raises
    ------
    ValueError
        For a name that is none of them (the message lists what there is), or a table that cannot be used.
    """
    path, colon, columns = name.rpartition(":")
    if colon and Path(path).exists():
        names = [column.strip() for column in columns.split(",")]
        return {column: _of_table(views, Path(path), column) for column in names}
    if name in store.video_attributes:
        rows = store.video_attributes[name].take(views.store_row.astype(np.int64))
        return {name: [rows[i] for i in range(len(rows))]}
    if name in store.user_attributes:
        row = {u: i for i, u in enumerate(store.users.ids.tolist())}
        of_user = np.array([row.get(u, -1) for u in views.user_ids.tolist()], dtype=np.int64)
        rows = store.user_attributes[name].take(of_user[views.user])
        return {name: [rows[i] for i in range(len(rows))]}
    if name in log.context:
        codes, names_of = log.context[name]
        return {name: [() if c < 0 else (str(names_of[c]),) for c in codes[views.log_row].tolist()]}
    there = [*store.video_attributes, *store.user_attributes, *log.context]
    raise ValueError(
        f"no slices by {name!r}: no file of that name before a colon, and store and log know "
        f"{', '.join(there) or 'no attribute or column'}; valid is FILE:COLUMN as well"
    )


def views_with(values: Values) -> dict[str, Bool]:
    """Which views have each value, the value with the most views first; ties in the order of the views."""
    rows: dict[str, list[int]] = {}
    for i, several in enumerate(values):
        for value in dict.fromkeys(several):
            rows.setdefault(value, []).append(i)
    found: dict[str, Bool] = {}
    for value in sorted(rows, key=lambda v: -len(rows[v])):
        mask: Bool = np.zeros(len(values), dtype=bool)
        mask[rows[value]] = True
        found[value] = mask
    return found


def _of_table(views: Views, path: Path, column: str) -> Values:
    table = read_table(path, "table of slices")
    key = next((k for k in ("user_id", "video_id") if k in table), None)
    if key is None or column not in table:
        needed = "user_id or video_id" if key is None else column
        raise ValueError(f"{path}: missing column {needed}; found {', '.join(map(str, table.columns))}")
    ids = as_ids(table[key]).tolist()
    cells = as_ids(table[column], whole=False).fillna("").tolist()
    known = {i: tuple(v.strip() for v in str(cell).split("|") if v.strip()) for i, cell in zip(ids, cells, strict=True)}
    ids_of, code = (views.user_ids, views.user) if key == "user_id" else (views.video_ids, views.video)
    found = [known.get(ids_of[c], ()) for c in code.tolist()]
    if len(code) and not any(found):
        raise ValueError(f"{path}: none of its {key}s is among the measured views, such as {str(ids_of[code[0]])!r}")
    return found
