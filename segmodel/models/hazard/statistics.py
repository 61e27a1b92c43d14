"""Smoothed statistics of a training log, and the inputs that a network reads off them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from segfeat.types import Bool, Float32, Float64, Int64
from segmodel.data.dataset import Dataset
from segmodel.data.views import Views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, named_arrays
from segmodel.models.hazard.features import Past, describe, describe_past, log_watch_ratio, outcome_channels
from segmodel.models.hazard.items import COLD, NEVER, SUMS, ItemTable, TimedItems, coverage, item_features
from segmodel.models.hazard.rates import Outcomes, base_hazard, leaving_rates, logit

_QUANTILES = 4097


@dataclass(frozen=True, eq=False)
class Tables:
    """What a log taught.

    Attributes
    ----------
    rates : float64 (folds + 1, S, S + 1)
    item_total : float64 (V, SUMS)
    item_by_fold : float32 (V, folds, SUMS)
    quantiles : int64 (Q,)
        Of the views' times.
    mean_log_ratio : float64 (1,)
    channel_means : float64 (9,)
    """

    rates: Float64
    item_total: Float64
    item_by_fold: Float32
    quantiles: Int64
    mean_log_ratio: Float64
    channel_means: Float64

    def arrays(self) -> Arrays:
        """The tables by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Tables:
        """The inverse of :meth:`arrays`."""
        return cls(*named_arrays(arrays, *(f.name for f in fields(cls))))


@dataclass(frozen=True, eq=False)
class _Sight:
    """What views see of a log: the fold that is left out, up to when, and the sums of their videos over the rest."""

    fold: Int64
    horizon: Int64
    sums: Float64


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network reads of V views: columns of :func:`describe`, base log-odds (V, S), cold videos, and the past."""

    view: Float32
    user: Float32
    offset: Float32
    cold: Bool
    past: Past


@dataclass(frozen=True, eq=False)
class Statistics:
    """How tables are learned and read.

    Attributes
    ----------
    users, videos : Vocabulary
    user_fold : int64 (users,)
        Fold of each user code; users not in the log (code 0) are in none, which is ``folds``.
    folds : int
    prior_events : float
    width : int
        Most segments.
    use_items : bool
        False: videos are told apart by length and content alone.
    """

    users: Vocabulary
    videos: Vocabulary
    user_fold: Int64
    folds: int
    prior_events: float
    width: int
    use_items: bool = True

    def learn(self, data: Dataset, means_of: Tables | None = None) -> Tables:
        """Tables over the views of ``data``.

        Parameters
        ----------
        data : Dataset
            Watched views of known users.
        means_of : Tables, optional
            Whose channel means to keep: networks were trained around them.
        """
        views = data.views
        fold, video = self._fold(views), self._video(views)
        rates = leaving_rates(views, fold, self.folds, self.prior_events, self.width)
        values = self._item_values(views, rates)
        items = ItemTable.of(video, fold, values, len(self.videos), self.folds)
        ranks = np.round(np.linspace(0, len(views) - 1, min(_QUANTILES, len(views)))).astype(np.int64)
        tables = Tables(
            rates,
            items.total,
            items.by_fold,
            np.sort(views.time_ms)[ranks],
            np.array([values[:, -1].mean()]),
            np.zeros(0) if means_of is None else means_of.channel_means,
        )
        if means_of is not None:
            return tables
        seen = self._seen(tables, own_fold=True)
        channels = [
            outcome_channels(part, self._item(part, tables, seen(part))).sum(axis=0) for _, part in views.parts()
        ]
        return replace(tables, channel_means=np.sum(channels, axis=0) / len(views))

    def learn_by_time(self, data: Dataset, tables: Tables) -> TimedItems:
        """The sums of ``tables``, which were learned from ``data``, by time."""
        views = data.views
        values = self._item_values(views, tables.rates)
        return TimedItems(_items(tables), self._video(views), views.time_ms, values)

    def inputs(self, data: Dataset, tables: Tables, own_fold: bool = False, past: Past | None = None) -> Inputs:
        """Inputs for the views of a dataset.

        Parameters
        ----------
        data : Dataset
        tables : Tables
        own_fold : bool
            Leave each user's own fold out for the views themselves, as is always done for the past: needed where the
            views are among those the tables were learned from.
        past : Past, optional
            Of ``data.past`` where it is known already.
        """
        if past is None:
            past = self.past(data.past, tables)
        return self._inputs(data, tables, past, self._seen(tables, own_fold))

    def past(self, views: Views, tables: Tables) -> Past:
        """Watched views, sorted by user and time, as history."""
        return self._past(views, tables, self._seen(tables, own_fold=True))

    def deployed_inputs(
        self,
        data: Dataset,
        tables: Tables,
        timed: TimedItems,
        generator: np.random.Generator,
        share: float,
        unknown_share: float = 0.0,
    ) -> Callable[[Dataset], Inputs]:
        """Training inputs, for parts of ``data``, in which a share of the users outlive their statistics.

        Each of them gets a random moment; views from then on see only what the log knew before it. Besides, where less
        than ``unknown_share`` of the views is of unknown videos by itself, random videos are hidden from those who are
        about to watch them until it is: in a dense log the few unknown ones are those that nobody wanted, and a network
        that meets no others takes every new video for one of them.
        """
        cut = self._random_cuts(data.views, generator, share)
        missing = max(0.0, unknown_share - unseen_share(tables))
        hidden = generator.random(len(self.videos)) < missing if missing else np.zeros(len(self.videos), dtype=bool)

        def seen(views: Views) -> _Sight:
            horizon = np.where(views.time_ms >= cut[views.user], cut[views.user], NEVER)
            fold = self._fold(views)
            return _Sight(fold, horizon, timed.sums(self._video(views), fold, horizon))

        def about_to_watch(views: Views) -> _Sight:
            sight = seen(views)
            return replace(sight, sums=np.where(hidden[self._video(views)][:, None], 0.0, sight.sums))

        past = self._past(data.past, tables, seen)
        return lambda part: self._inputs(part, tables, past, about_to_watch)

    def _seen(self, tables: Tables, own_fold: bool) -> Callable[[Views], _Sight]:
        """Views that see all of the tables, or all but their own fold."""
        items = _items(tables)

        def seen(views: Views) -> _Sight:
            fold = self._fold(views) if own_fold else np.full(len(views), self.folds)
            return _Sight(fold, np.full(len(views), NEVER), items.sums(self._video(views), fold))

        return seen

    def _past(self, views: Views, tables: Tables, seen: Callable[[Views], _Sight]) -> Past:
        known = (
            (base_hazard(part, tables.rates, self._fold(part)), self._item(part, tables, seen(part)))
            for _, part in views.parts()
        )
        return describe_past(views, known, tables.channel_means, self.width)

    def _inputs(self, data: Dataset, tables: Tables, past: Past, seen: Callable[[Views], _Sight]) -> Inputs:
        sight = seen(data.views)
        item = self._item(data.views, tables, sight)
        described = describe(data, past, item)
        base = base_hazard(data.views, tables.rates, sight.fold)
        return Inputs(
            described.view.astype(np.float32),
            described.user.astype(np.float32),
            np.where(base > 0, logit(base), 0.0).astype(np.float32),
            item[:, COLD] > 0.5,
            past,
        )

    def _item_values(self, views: Views, rates: Float64) -> Float64:
        """(V, SUMS) what a video's statistics sum over its views."""
        values = np.ones((len(views), SUMS))
        for rows, part in views.parts():
            base = base_hazard(part, rates, self._fold(part))
            values[rows, 1:-1] = Outcomes.of(part, self.width).residuals(base, part.segments)
        values[:, -1] = log_watch_ratio(views)
        return values

    def _item(self, views: Views, tables: Tables, sight: _Sight) -> Float64:
        if not self.use_items:
            return item_features(np.zeros((len(views), SUMS)), 0.0, np.zeros((len(views), 4)))
        around = coverage(views.time_ms, sight.horizon, tables.quantiles)
        return item_features(sight.sums, float(tables.mean_log_ratio[0]), around)

    def _fold(self, views: Views) -> Int64:
        return self.user_fold[self.users.table_codes(views.user_ids)[views.user]]

    def _video(self, views: Views) -> Int64:
        return self.videos.table_codes(views.video_ids)[views.video]

    @staticmethod
    def _random_cuts(views: Views, generator: np.random.Generator, share: float) -> Int64:
        """A time for each user of the id table; ``NEVER`` for those who are not cut."""
        users, start, count = np.unique(views.user, return_index=True, return_counts=True)
        moment = np.minimum((generator.uniform(0.2, 1.0, len(users)) * count).astype(int), count - 1)
        chosen = generator.random(len(users)) < share
        cut = np.full(len(views.user_ids), NEVER)
        cut[users[chosen]] = views.time_ms[(start + moment)[chosen]]
        return cut


def unseen_share(tables: Tables) -> float:
    """The share of views that the next ones will have of videos not met yet: that of videos met once (Good 1953)."""
    count = tables.item_total[:, 0]
    return float((count == 1).sum() / max(count.sum(), 1.0))


def _items(tables: Tables) -> ItemTable:
    return ItemTable(tables.item_total, tables.item_by_fold)


def rows_seen(data: Dataset) -> Bool:
    """(P,) which rows of the past are in the history of some view."""
    change = np.zeros(len(data.past) + 1, dtype=np.int64)
    np.add.at(change, data.history[:, 0], 1)
    np.add.at(change, data.history[:, 1], -1)
    return np.cumsum(change)[:-1] > 0
