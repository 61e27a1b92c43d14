"""Where slices come from: what is known of every view, attributes of the store, columns of the log, and any table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from segfeat.tables import as_ids, read_table
from segfeat.types import Bool
from segmodel.data.views import Views
from segmodel.evaluation.evaluation import groups
from segmodel.evaluation.slices import Slice, SliceTable, slice_table
from segmodel.runs.held_out import HeldOut, Measurement

MOST_VALUES = 50
"""Of a source, the values with the most views; further ones are not looked at."""

REFERENCE = "duration-position"
"""What tells how hard a slice is: a model that knows nothing but the length."""

_HOUR_MS, _HOURS = 3_600_000, ((0, 5), (6, 11), (12, 17), (18, 23))
_TERTILES = ("few", "some", "many")


def measured_slices(measured: Measurement, names: Sequence[str] = (), reference: str = REFERENCE) -> SliceTable:
    """The run of a measurement on every built-in slice and on those named; see :func:`named_slices`.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    held = measured.held
    slices = [*built_in_slices(held), *named_slices(held, names)]
    simple = measured.evaluations[reference] if reference in measured.evaluations else held.baseline(reference)
    views = held.data.views
    return slice_table(slices, measured.own.metrics.nll, simple.metrics.nll, views.user_ids[views.user], reference)


def built_in_slices(held: HeldOut) -> list[Slice]:
    """Slices that need no file: length, hour (UTC), month, activity of the user, cold and warm, modalities."""
    views, train = held.data.views, held.run_data.train_views
    found = []
    for name, mask in groups(views, train).items():
        if name != "all":
            source = name.rpartition(" ")[2] if " " in name and name.split()[0] in ("warm", "cold") else "length"
            found.append(Slice(source, name, mask))
    if (views.time_ms > 10**11).all():  # dates, not times that count from a beginning of their own
        hour = views.time_ms // _HOUR_MS % 24
        found += [Slice("hour (UTC)", f"{a}–{b}", (hour >= a) & (hour <= b)) for a, b in _HOURS]
        month = views.time_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(str)
        found += [Slice("month", str(m), month == m) for m in np.unique(month)]
    count = dict(zip(*np.unique(train.user_ids[train.user].astype(str), return_counts=True), strict=True))
    seen = np.array([count.get(str(u), 0) for u in views.user_ids.tolist()])[views.user]
    warm = seen[seen > 0]
    if len(warm):
        low, high = np.quantile(warm, [1 / 3, 2 / 3])
        place = np.digitize(seen, [low, high], right=True)
        found += [Slice("views of the user", f"{t} (≤ {b:g})" if b else t, (place == i) & (seen > 0))
                  for i, (t, b) in enumerate(zip(_TERTILES, (low, high, 0), strict=True))]  # fmt: skip
    store = held.run_data.store
    for modality in store.encoders:
        ends = np.concatenate([[0], np.cumsum(store.valid(modality))])
        has = ends[store.offset[1:]] > ends[store.offset[:-1]]
        there = np.where(views.store_row >= 0, np.append(has, False)[views.store_row], False)
        found += [Slice(modality, "present", there), Slice(modality, "absent", ~there)]
    return found


def named_slices(held: HeldOut, names: Sequence[str]) -> list[Slice]:
    """Slices by ``FILE:COLUMN[,COLUMN]``, an attribute of the store's videos or users, or a column of the log.

    A file is any table with ``user_id`` or ``video_id``; a cell may hold several values with ``|`` between them.

    Raises
    ------
    ValueError
        For a name that is none of them (the message lists what there is), or a table that cannot be used.
    """
    return [one for name in names for one in _named(held, name)]


def _named(held: HeldOut, name: str) -> list[Slice]:
    path, colon, columns = name.rpartition(":")
    if colon and Path(path).exists():
        return [s for column in columns.split(",") for s in _of_table(held.data.views, Path(path), column.strip())]
    views, store, log = held.data.views, held.run_data.store, held.log
    if name in store.video_attributes:
        rows = store.video_attributes[name].take(views.store_row.astype(np.int64))
        return _slices(name, [rows[i] for i in range(len(rows))])
    if name in store.user_attributes:
        row = {u: i for i, u in enumerate(store.users.ids.tolist())}
        of_user = np.array([row.get(u, -1) for u in views.user_ids.tolist()], dtype=np.int64)
        rows = store.user_attributes[name].take(of_user[views.user])
        return _slices(name, [rows[i] for i in range(len(rows))])
    if name in log.context:
        codes, names = log.context[name]
        return _slices(name, [() if c < 0 else (str(names[c]),) for c in codes[views.log_row].tolist()])
    there = [*store.video_attributes, *store.user_attributes, *log.context]
    raise ValueError(
        f"no slices by {name!r}: no file of that name before a colon, and store and log know "
        f"{', '.join(there) or 'no attribute or column'}; valid is FILE:COLUMN as well"
    )


def _of_table(views: Views, path: Path, column: str) -> list[Slice]:
    table = read_table(path, "table of slices")
    key = next((k for k in ("user_id", "video_id") if k in table), None)
    if key is None or column not in table:
        needed = "user_id or video_id" if key is None else column
        raise ValueError(f"{path}: missing column {needed}; found {', '.join(map(str, table.columns))}")
    ids = as_ids(table[key]).tolist()
    cells = as_ids(table[column], whole=False).fillna("").tolist()
    known = {i: tuple(v.strip() for v in str(cell).split("|") if v.strip()) for i, cell in zip(ids, cells, strict=True)}
    ids_of, code = (views.user_ids, views.user) if key == "user_id" else (views.video_ids, views.video)
    found = _slices(column, [known.get(ids_of[c], ()) for c in code.tolist()])
    if not found:
        raise ValueError(f"{path}: none of its {key}s is among the measured views, such as {str(ids_of[code[0]])!r}")
    return found


def _slices(source: str, values: Sequence[Iterable[str]]) -> list[Slice]:
    """A slice per value; a view may stand in several, or in none."""
    names: dict[str, list[int]] = {}
    for i, several in enumerate(values):
        for value in several:
            names.setdefault(value, []).append(i)
    most = sorted(names, key=lambda v: -len(names[v]))[:MOST_VALUES]
    found = []
    for value in most:
        mask: Bool = np.zeros(len(values), dtype=bool)
        mask[names[value]] = True
        found.append(Slice(source, value, mask))
    return found
