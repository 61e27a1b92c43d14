"""Where slices come from: what is known of every view, attributes of the store, columns of the log, and any table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from segmodel.evaluation.evaluation import groups
from segmodel.evaluation.slices import Slice, SliceTable, slice_table
from segmodel.runs.held_out import HeldOut, Measurement
from segmodel.runs.kinds import view_values, views_with

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
        low, high = np.floor(np.quantile(warm, [1 / 3, 2 / 3]))  # counts are whole
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
    """Slices by names as :func:`segmodel.runs.kinds.view_values` reads them; a view may stand in several, or in none.

    Raises
    ------
    ValueError
        For a name that is nothing, or a table that cannot be used.
    """
    return [
        Slice(source, value, mask)
        for name in names
        for source, values in view_values(name, held.data.views, held.run_data.store, held.log).items()
        for value, mask in islice(views_with(values).items(), MOST_VALUES)
    ]
