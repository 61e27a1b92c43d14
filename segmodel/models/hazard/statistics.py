"""Smoothed statistics of a training log, and the inputs that a network reads off them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from segfeat.types import Bool, Float32, Float64, Int64
from segmodel.dataset import Dataset
from segmodel.models.base import Arrays, named_arrays
from segmodel.models.hazard.features import Past, describe, describe_past, log_watch_ratio, outcome_channels
from segmodel.models.hazard.items import COLD, NEVER, SUMS, ItemTable, TimedItems, coverage, item_features
from segmodel.models.hazard.rates import Outcomes, base_hazard, leaving_rates, logit
from segmodel.views import Views
from segmodel.vocabulary import Vocabulary

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

    def learn(self, data: Dataset, means_of: Tables | None = None) -> tuple[Tables, TimedItems]:
        """Tables over the views of ``data``, and the same sums by time.

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
        surprise = Outcomes.of(views, self.width).residuals(base_hazard(views, rates, fold), views.segments)
        ratio = log_watch_ratio(views)
        values = np.concatenate([np.ones((len(views), 1)), surprise, ratio[:, None]], axis=1)
        items = ItemTable.of(video, fold, values, len(self.videos), self.folds)
        ranks = np.round(np.linspace(0, len(views) - 1, min(_QUANTILES, len(views)))).astype(np.int64)
        tables = Tables(
            rates,
            items.total,
            items.by_fold,
            np.sort(views.time_ms)[ranks],
            np.array([ratio.mean()]),
            np.zeros(0) if means_of is None else means_of.channel_means,
        )
        if means_of is None:
            item = self._item(views, tables, items.sums(video, fold), np.full(len(views), NEVER))
            means = outcome_channels(views, item).mean(axis=0)
            tables = Tables(**{**tables.arrays(), "channel_means": means})
        return tables, TimedItems(video, views.time_ms, fold, values, self.folds)

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
        items = ItemTable(tables.item_total, tables.item_by_fold)
        never = np.full(len(data.past), NEVER)
        if past is None:
            sums = items.sums(self._video(data.past), self._fold(data.past))
            past = self._describe_past(data.past, tables, sums, never)
        fold = self._fold(data.views) if own_fold else np.full(len(data.views), self.folds)
        sums = items.sums(self._video(data.views), fold)
        return self._inputs(data, tables, past, fold, sums, np.full(len(data.views), NEVER))

    def deployed_inputs(
        self,
        data: Dataset,
        tables: Tables,
        timed: TimedItems,
        generator: np.random.Generator,
        share: float,
    ) -> Inputs:
        """Training inputs in which a share of the users live on after their statistics have stopped.

        Each of them gets a random moment; views from then on see only what the log knew before it.
        """
        cut = self._random_cuts(data.views, generator, share)

        def described(views: Views) -> tuple[Float64, Int64, Int64]:
            horizon = np.where(views.time_ms >= cut[views.user], cut[views.user], NEVER)
            fold = self._fold(views)
            return timed.sums(self._video(views), fold, horizon), horizon, fold

        sums, horizon, _ = described(data.past)
        past = self._describe_past(data.past, tables, sums, horizon)
        sums, horizon, fold = described(data.views)
        return self._inputs(data, tables, past, fold, sums, horizon)

    def _describe_past(self, views: Views, tables: Tables, sums: Float64, horizon: Int64) -> Past:
        base = base_hazard(views, tables.rates, self._fold(views))
        return describe_past(views, base, self._item(views, tables, sums, horizon), tables.channel_means)

    def _inputs(self, data: Dataset, tables: Tables, past: Past, fold: Int64, sums: Float64, horizon: Int64) -> Inputs:
        item = self._item(data.views, tables, sums, horizon)
        described = describe(data, past, item)
        base = base_hazard(data.views, tables.rates, fold)
        return Inputs(
            described.view.astype(np.float32),
            described.user.astype(np.float32),
            np.where(base > 0, logit(base), 0.0).astype(np.float32),
            item[:, COLD] > 0.5,
            past,
        )

    def _item(self, views: Views, tables: Tables, sums: Float64, horizon: Int64) -> Float64:
        if not self.use_items:
            return item_features(np.zeros((len(views), SUMS)), 0.0, np.zeros((len(views), 4)))
        around = coverage(views.time_ms, horizon, tables.quantiles)
        return item_features(sums, float(tables.mean_log_ratio[0]), around)

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


def rows_seen(data: Dataset) -> Bool:
    """(P,) which rows of the past are in the history of some view."""
    change = np.zeros(len(data.past) + 1, dtype=np.int64)
    np.add.at(change, data.history[:, 0], 1)
    np.add.at(change, data.history[:, 1], -1)
    return np.cumsum(change)[:-1] > 0
