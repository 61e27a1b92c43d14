"""Dataset: views with each one's causal history, and the store that holds their content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.views import MAX_SEGMENTS, Rows, Views, make_views

HISTORY_VIEWS = 20
"""A history that is read view by view is a user's last 20 views ..."""

HISTORY_SEGMENTS = 100
"""... and of the segments viewed in them the newest 100."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Views to learn from or to score, and the past that each may see.

    The history of a view is its user's usable views with a *smaller* time: views of one feed page share a timestamp and
    never see each other.

    Attributes
    ----------
    views : Views
        The V views in question.
    past : Views
        All watched views, sorted by user, then time; over the same id tables.
    history : int64 (V, 2)
        Rows ``past[history[i, 0] : history[i, 1]]`` are view i's history, oldest first.
    store : FeatureStore or None
        Where content features come from.
    """

    views: Views
    past: Views
    history: Rows
    store: FeatureStore | None = None

    def __len__(self) -> int:
        return len(self.views)

    def __repr__(self) -> str:
        return f"<Dataset: {self.views!r}, past of {len(self.past):,} views, {self.store!r}>"

    def take(self, rows: npt.NDArray[Any]) -> Dataset:
        """The given views with their histories; the past stays whole."""
        return Dataset(self.views.take(rows), self.past, self.history[rows], self.store)

    def without_past(self, rows: npt.NDArray[np.bool_]) -> Dataset:
        """The same views with histories that lack the given rows (mask) of the past."""
        past = self.past.take(~rows)
        return Dataset(self.views, past, _history(self.views, past), self.store)

    def as_views(self) -> Dataset:
        """The past itself as views, each with its own history."""
        return Dataset(self.past, self.past, _history(self.past, self.past), self.store)

    @cached_property
    def last_views(self) -> Rows:
        """(V, HISTORY_VIEWS) rows of ``past``, oldest first, right-aligned; -1 where the history is shorter."""
        rows = self.history[:, 1:] - np.arange(HISTORY_VIEWS, 0, -1)[None, :]
        return np.where(rows >= self.history[:, :1], rows, -1)

    def history_segments(
        self, rows: npt.NDArray[Any], most: int = HISTORY_SEGMENTS, views: int | None = HISTORY_VIEWS
    ) -> tuple[Rows, Rows]:
        """The newest viewed segments of the given views' histories.

        Viewed segments of a history view are 0 .. exit, or all N where it was completed.

        Parameters
        ----------
        rows : int (B,)
        most : int
            H', how many segments at most.
        views : int, optional
            In how many of the last views; None: in the whole history.

        Returns
        -------
        past_row : int64 (B, H')
            The history view each segment belongs to; right-aligned, oldest first, -1 where there are fewer.
        segment : int64 (B, H')
            Index of the segment in its video; 0 on padding.
        """
        first, end = self.history[rows].T
        if views is not None:
            first = np.maximum(first, end - views)
        # Viewed segments of the whole past stand in one line; of each history we want the last of a stretch.
        before = self.past.viewed_before
        place = before[end][:, None] - np.arange(most, 0, -1)[None, :]
        there = place >= before[first][:, None]
        past_row = np.full(place.shape, -1, dtype=np.int64)
        past_row[there] = np.searchsorted(before, place[there], side="right") - 1
        segment = np.zeros_like(past_row)
        segment[there] = place[there] - before[past_row[there]]
        return past_row, segment


def of_past(values: npt.NDArray[Any], rows: Rows) -> npt.NDArray[Any]:
    """``values[rows]`` of a column of the past, which may be empty; what stands at rows of -1 is masked out later."""
    if len(values):
        return values[rows]
    return np.zeros((*rows.shape, *values.shape[1:]), values.dtype)


def by_users(data: Dataset, most_rows: int) -> Iterator[tuple[Rows, Dataset]]:
    """Parts of a dataset that hold whole users, each with those users' past alone.

    Parameters
    ----------
    data : Dataset
    most_rows : int
        Views and past views of a part together; a single user may exceed it.

    Yields
    ------
    rows : int64 (B,)
        Which views of ``data`` the part holds, in their order.
    part : Dataset
    """
    users, owner = np.unique(data.views.user, return_inverse=True)
    if len(users) == 1 and len(data.past) and (data.past.user == users[0]).all():
        # Nothing to leave out: the same past object stays, and with it whatever a model remembers about it.
        yield np.arange(len(data)), data
        return
    first = np.searchsorted(data.past.user, users, side="left")
    end = np.searchsorted(data.past.user, users, side="right")
    size = np.cumsum(np.bincount(owner, minlength=len(users)) + end - first)
    part_of_user = np.floor_divide(size - 1, most_rows) if len(users) else size
    part = part_of_user[owner]
    order = np.argsort(part, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        if not len(rows):
            continue
        chosen = np.unique(owner[rows])
        keep = np.zeros(len(data.past) + 1, dtype=np.int64)
        np.add.at(keep, first[chosen], 1)
        np.add.at(keep, end[chosen], -1)
        kept = np.cumsum(keep)[:-1].astype(bool)
        # A user's rows stay together, so a history moves as a whole.
        moved = np.concatenate([[0], np.cumsum(kept)])
        rows = np.sort(rows)
        yield rows, Dataset(data.views.take(rows), data.past.take(kept), moved[data.history[rows]], data.store)


def make_dataset(
    log: Interactions,
    store: FeatureStore | None = None,
    *,
    pairs: Interactions | None = None,
    max_segments: int = MAX_SEGMENTS,
    max_duration_s: float | None = None,
) -> Dataset:
    """Views of a log with their histories, or pairs to predict with histories from the log and from earlier pairs.

    Parameters
    ----------
    log : Interactions
        Where histories come from, and without ``pairs`` the views as well.
    store : FeatureStore, optional
    pairs : Interactions, optional
        Rows to predict; those with a watch time are history for later ones.
    max_segments : int
    max_duration_s : float, optional
        The paper's 200 s where absent.
    """
    options: dict[str, Any] = {"max_segments": max_segments}
    if max_duration_s is not None:
        options["max_duration_s"] = max_duration_s
    if pairs is None:
        views = past = make_views(log, store, **options)
    else:
        known = log.joined(pairs.take(pairs.watch_ms > 0))
        past = make_views(known, store, **options)
        # Joining with the log's rows left out gives the pairs the id tables of the past.
        named = known.take(np.zeros(len(known), dtype=bool)).joined(pairs)
        views = make_views(named, store, watch_needed=False, **options)
        past = _with_tables(past, views)
    return Dataset(views, past, _history(views, past), store)


def _with_tables(past: Views, views: Views) -> Views:
    """``past`` over the id tables of ``views``, which only ever extend its own."""
    return replace(past, user_ids=views.user_ids, video_ids=views.video_ids)


def _history(views: Views, past: Views) -> Rows:
    """First and one-past-last row of ``past`` that each view may see."""
    if views is past:
        return _own_history(views)
    starts = np.searchsorted(past.user, views.user, side="left")
    # One sorted key for (user, time): ranks of the times keep it within 64 bits.
    times = np.unique(past.time_ms)
    width = len(times) + 1
    past_key = past.user.astype(np.int64) * width + np.searchsorted(times, past.time_ms)
    view_key = views.user.astype(np.int64) * width + np.searchsorted(times, views.time_ms, side="left")
    ends = np.searchsorted(past_key, view_key, side="left")
    return np.stack([starts, ends], axis=1).astype(np.int64)


def _own_history(views: Views) -> Rows:
    """The same where a log is its own past: a view sees from its user's first row to the first of its moment."""
    row = np.arange(len(views))
    first_of_user = np.diff(views.user, prepend=-1) != 0
    first_of_moment = first_of_user | (np.diff(views.time_ms, prepend=0) != 0)
    firsts = (np.maximum.accumulate(np.where(first, row, 0)) for first in (first_of_user, first_of_moment))
    return np.stack(list(firsts), axis=1).astype(np.int64)
