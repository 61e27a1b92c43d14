"""Smoothed statistics of a training log, and the inputs that a network reads off them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, Float32, Float64, Int64
from segmodel.data.dataset import Dataset
from segmodel.data.parts import Parts
from segmodel.data.traits import CONTEXT, USER, VIDEO, Traits
from segmodel.data.views import Views, joined_views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.hazard.effects import EffectLearner, Effects, TraitColumns
from segmodel.models.hazard.features import (
    VIEW,
    Past,
    describe,
    describe_past,
    log_watch_ratio,
    of_video,
    outcome_channels,
)
from segmodel.models.hazard.items import (
    COLD,
    NEVER,
    SUMS,
    ItemTable,
    MomentItems,
    SumsByTime,
    TimedItems,
    coverage,
    item_features,
    item_sums,
)
from segmodel.models.hazard.quantiles import WeightedTimes
from segmodel.models.hazard.rates import Outcomes, base_hazard, leaving_sums, logit, rates_from, shifted, spread
from segmodel.models.hazard.reached import PLACES, Reached
from segmodel.models.hazard.tables import Tables

_QUANTILES = 4097

SAMPLE_VIEWS = 2_000_000
"""Of the first parts with so many views effects of categories and scalers are learned: they are few numbers."""

MOMENTS, MOMENTS_BYTES = 64, 2**30
"""At so many moments users outlive the statistics where a log comes in parts, or as many as a table of that size has.

With a moment for every view, the table would grow with the log.
"""


_COLUMNS = {VIDEO: PLACES, USER: PLACES, CONTEXT: PLACES + 1}


@dataclass(frozen=True, eq=False)
class _Sight:
    """What views see of a log: the fold that is left out, up to when, and the sums of their videos over the rest.

    Besides, whose context is as good as unknown.
    """

    fold: Int64
    horizon: Int64
    sums: Float64
    no_context: Bool | None = None


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network reads of V views.

    Attributes
    ----------
    view, user : float32 (V, ·)
        Columns of :func:`describe`.
    offset : float32 (V, S)
        Base log-odds, with what the video's categories add.
    cold : bool (V,)
        Whether the statistics do not know the video.
    past : Past
    shift : float32 (V, 3)
        What the categories of user and context add to the log-odds of first, middle and last segments.
    """

    view: Float32
    user: Float32
    offset: Float32
    cold: Bool
    past: Past
    shift: Float32


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
        False: videos are told apart by length, categories and content alone.
    traits : Traits
        Categories that are read.
    """

    users: Vocabulary
    videos: Vocabulary
    user_fold: Int64
    folds: int
    prior_events: float
    width: int
    use_items: bool = True
    traits: Traits = field(default_factory=Traits)

    @property
    def view_width(self) -> int:
        """Columns of a view."""
        return VIEW + sum(_COLUMNS[kind] for kind in self.traits.names)

    @property
    def of_video(self) -> slice:
        """Those that the video alone decides."""
        return of_video(_COLUMNS[VIDEO] if VIDEO in self.traits.names else 0)

    def learn(self, parts: Parts, means_of: Tables | None = None) -> Tables:
        """Tables over the views of all parts: sums over them, but for the effects of categories.

        Those are learned from the first parts that have :data:`SAMPLE_VIEWS` views together, the others from all.

        Parameters
        ----------
        parts : Parts
            Watched views of known users.
        means_of : Tables, optional
            Whose channel means to keep: networks were trained around them.
        """
        some, times = list[tuple[Views, FeatureStore | None]](), WeightedTimes(parts.count)

        def look(data: Dataset) -> tuple[Float64, Float64]:
            if self.traits.names and sum(len(views) for views, _ in some) < SAMPLE_VIEWS:
                some.append((data.views, data.store))
            times.add(data.views.time_ms)
            return leaving_sums(data.views, self._fold(data.views), self.folds, self.width)

        rates = rates_from(*parts.summed(look), self.prior_events)
        tables = Tables(
            rates,
            np.zeros((0, SUMS)),
            np.zeros((0, self.folds, SUMS), np.float32),
            times.quantiles(_QUANTILES),
            np.zeros(0),
            np.zeros(0) if means_of is None else means_of.channel_means,
            self._learn_effects(some, rates),
        )

        def sum_items(data: Dataset) -> tuple[Float64, float, int]:
            values = self._item_values(data, tables)
            sums = item_sums(self._video(data.views), self._fold(data.views), values, len(self.videos), self.folds)
            return sums, float(values[:, -1].sum()), len(values)

        sums, log_ratio, views = parts.summed(sum_items)
        items = ItemTable.of(sums)
        mean = np.array([log_ratio / views])
        tables = replace(tables, item_total=items.total, item_by_fold=items.by_fold, mean_log_ratio=mean)
        if means_of is not None:
            return tables
        seen = self._seen(tables, own_fold=True)

        def sum_channels(data: Dataset) -> tuple[Float64]:
            known = (
                outcome_channels(part, self._item(part, tables, seen(part))).sum(axis=0)
                for _, part in data.views.parts()
            )
            return (np.sum(list(known), axis=0),)

        return replace(tables, channel_means=parts.summed(sum_channels)[0] / views)

    def _learn_effects(self, some: Sequence[tuple[Views, FeatureStore | None]], rates: Float64) -> Effects:
        """Effects of categories, from some views."""
        if not some:
            return Effects.none()
        views, store = joined_views([views for views, _ in some]), some[0][1]
        fold = self._fold(views)
        reached = Reached.of(views, lambda rows, part: base_hazard(part, rates, fold[rows]))
        return EffectLearner(self.traits, views, store, fold, self.folds, self._video(views), self.videos).learn(
            reached
        )

    def learn_by_time(self, parts: Parts, tables: Tables) -> SumsByTime:
        """The sums of ``tables``, which were learned from ``parts``, by time; of several parts, at some moments."""
        if parts.count == 1:
            (data,) = parts
            values = self._item_values(data, tables)
            return TimedItems(tables.items, self._video(data.views), data.views.time_ms, values)
        count = min(MOMENTS, max(MOMENTS_BYTES // (4 * SUMS * len(self.videos)), 2))
        moments = tables.quantiles[np.arange(count) * len(tables.quantiles) // count]
        timed = MomentItems(tables.items, moments)
        for data in parts:
            timed.add(self._video(data.views), data.views.time_ms, self._item_values(data, tables))
        return timed.add_up()

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
            past = self.past(data, tables)
        return self._inputs(data, tables, past, self._seen(tables, own_fold))

    def past(self, data: Dataset, tables: Tables) -> Past:
        """The past of a dataset as history."""
        return self._past(data, tables, self._seen(tables, own_fold=True))

    def told_apart(self, data: Dataset, tables: Tables) -> list[Hashable]:
        """What tells the videos of some views apart, their lengths aside: unknown ones by what their categories add."""
        code = self._video(data.views)
        found: list[Hashable] = code.tolist()
        new = np.flatnonzero(code == 0)
        if len(new) and VIDEO in self.traits.names:
            views = data.views.take(new)
            shift = tables.effects.shift(
                VIDEO, self.traits, views, data.store, np.full(len(new), self.folds), code[new]
            )
            for row, bits in zip(new, shift, strict=True):
                found[row] = bits.tobytes()
        return found

    def deployed_inputs(
        self,
        data: Dataset,
        tables: Tables,
        timed: SumsByTime,
        generator: np.random.Generator,
        share: float,
        unknown_share: float = 0.0,
        no_context_share: float = 0.0,
    ) -> Callable[[Dataset], Inputs]:
        """Training inputs, for parts of ``data``, in which a share of the users outlive their statistics.

        Each of them gets a random moment; views from then on see only what the log knew before it. Besides, where less
        than ``unknown_share`` of the views is of unknown videos by itself, random videos are hidden from those who are
        about to watch them until it is: in a dense log the few unknown ones are those that nobody wanted, and a network
        that meets no others takes every new video for one of them.
        """
        cut = timed.horizons(self._random_cuts(data.views, generator, share))
        missing = max(0.0, unknown_share - tables.unseen_share)
        hidden = generator.random(len(self.videos)) < missing if missing else np.zeros(len(self.videos), dtype=bool)

        def seen(views: Views) -> _Sight:
            horizon = np.where(views.time_ms >= cut[views.user], cut[views.user], NEVER)
            fold = self._fold(views)
            return _Sight(fold, horizon, timed.sums(self._video(views), fold, horizon))

        def about_to_watch(views: Views) -> _Sight:
            sight = seen(views)
            sums = np.where(hidden[self._video(views)][:, None], 0.0, sight.sums)
            no_context = generator.random(len(views)) < no_context_share if CONTEXT in self.traits.names else None
            return replace(sight, sums=sums, no_context=no_context)

        past = self._past(data, tables, seen)
        return lambda part: self._inputs(part, tables, past, about_to_watch)

    def _seen(self, tables: Tables, own_fold: bool) -> Callable[[Views], _Sight]:
        """Views that see all of the tables, or all but their own fold."""
        items = tables.items

        def seen(views: Views) -> _Sight:
            fold = self._fold(views) if own_fold else np.full(len(views), self.folds)
            return _Sight(fold, np.full(len(views), NEVER), items.sums(self._video(views), fold))

        return seen

    def _past(self, data: Dataset, tables: Tables, seen: Callable[[Views], _Sight]) -> Past:
        known = (
            (self._expected(part, data.store, tables), self._item(part, tables, seen(part)))
            for _, part in data.past.parts()
        )
        return describe_past(data.past, known, tables.channel_means, self.width)

    def _expected(self, views: Views, store: FeatureStore | None, tables: Tables) -> Float64:
        """Base hazard (V, S) with what the categories add, of views that are out of their own fold."""
        fold = self._fold(views)
        base = base_hazard(views, tables.rates, fold)
        if not self.traits.names:
            return base
        video = self._video(views)
        traits = TraitColumns.of(tables.effects, self.traits, views, store, fold, video)
        return shifted(base, traits.of_video + traits.of_moment, views.segments)

    def _traits(self, data: Dataset, tables: Tables, fold: Int64, no_context: Bool | None = None) -> TraitColumns:
        video = self._video(data.views)
        return TraitColumns.of(tables.effects, self.traits, data.views, data.store, fold, video, no_context)

    def _inputs(self, data: Dataset, tables: Tables, past: Past, seen: Callable[[Views], _Sight]) -> Inputs:
        sight = seen(data.views)
        item = self._item(data.views, tables, sight)
        traits = self._traits(data, tables, sight.fold, sight.no_context)
        described = describe(data, past, item, traits)
        base = base_hazard(data.views, tables.rates, sight.fold)
        by_video = spread(traits.of_video, data.views.segments, self.width)
        return Inputs(
            described.view.astype(np.float32),
            described.user.astype(np.float32),
            np.where(base > 0, logit(base) + by_video, 0.0).astype(np.float32),
            item[:, COLD] > 0.5,
            past,
            traits.of_moment.astype(np.float32),
        )

    def _item_values(self, data: Dataset, tables: Tables) -> Float64:
        """(V, SUMS) what a video's statistics sum over its views."""
        views = data.views
        values = np.ones((len(views), SUMS))
        for rows, part in views.parts():
            base = self._expected(part, data.store, tables)
            values[rows, 1:-1] = Outcomes.of(part, self.width).residuals(base, part.segments)
        values[:, -1] = log_watch_ratio(views)
        return values

    def _item(self, views: Views, tables: Tables, sight: _Sight) -> Float64:
        if not self.use_items:
            return item_features(np.zeros((len(views), SUMS)), 0.0, np.zeros((len(views), 4)))
        around = coverage(views.time_ms, sight.horizon, tables.quantiles)
        return item_features(sight.sums, float(tables.mean_log_ratio[0]), around)

    def codes(self, views: Views) -> tuple[Int64, Int64]:
        """Codes of users and videos of some views; 0 where they are unknown."""
        return self._user(views), self._video(views)

    def _fold(self, views: Views) -> Int64:
        return self.user_fold[self._user(views)]

    def _user(self, views: Views) -> Int64:
        return self.users.table_codes(views.user_ids)[views.user]

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
