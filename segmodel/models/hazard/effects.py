"""Effects of categories: how readily viewers leave, by author and tag, kind of user and place in the app.

Each category's effect on the log-odds of leaving first, middle and last segments is one Newton step from the base
hazard under a Gaussian prior (empirical Bayes). The prior's variance comes from products of surprises of *different*
videos of a category (different users, for users and context), so neither luck nor one video alone makes it seem to
matter. How far each column is believed beside the others is a logistic regression on effects of which no view was a
part: a video's effect comes from other videos and other users, a user's from other users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, Float32, Float64, Int64
from segmodel.data.traits import CONTEXT, USER, VIDEO, Traits
from segmodel.data.views import Rows, Views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays
from segmodel.models.hazard.reached import PLACES, Reached

_NEWTON_STEPS, _VARIANCE_STEPS = 4, 10
_WEIGHT_PRECISION = 10.0
"""Prior precision of how far a column is believed, in events at one logit."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Log-odds that categories add in first, middle and last segments.

    Attributes
    ----------
    by_category : (kind, name) -> float32 (folds + 1, K, 3)
        By category code, with each fold of users left out, and last with none left out; code 0 adds nothing.
    of_video : float32 (V, folds + 1, 3)
        What a video's categories add by what *other* videos say; empty without attributes of videos.
    """

    by_category: Mapping[tuple[str, str], Float32]
    of_video: Float32

    @classmethod
    def none(cls) -> Effects:
        """Of nothing."""
        return cls({}, np.zeros((0, 1, PLACES), np.float32))

    def arrays(self) -> Arrays:
        """By name; the inverse is :meth:`of_arrays`."""
        if not self.by_category:
            return {}
        return {"effect.of_video": self.of_video, **{f"effect.{k}.{n}": v for (k, n), v in self.by_category.items()}}

    @classmethod
    def of_arrays(cls, arrays: Arrays, traits: Traits) -> Effects:
        """Of the columns that a model reads; a model of before there were any has none."""
        if not traits.names:
            return cls.none()
        pairs = [(kind, name) for kind, names in traits.names.items() for name in names]
        return cls({(k, n): arrays[f"effect.{k}.{n}"] for k, n in pairs}, arrays["effect.of_video"])

    def shift(
        self, kind: str, traits: Traits, views: Views, store: FeatureStore | None, fold: Int64, video: Int64
    ) -> Float64:
        """(V, 3) what the categories of one kind add to the log-odds of some views.

        Parameters
        ----------
        kind : str
        traits : Traits
        views : Views
        store : FeatureStore, optional
        fold : int64 (V,)
            Of users, left out; that after the last for none.
        video : int64 (V,)
            Codes of the videos; those of 0 are told by their categories.
        """
        if kind == VIDEO and len(self.of_video):
            found = self.of_video[video, fold].astype(np.float64)
            new = np.flatnonzero(video == 0)
            if len(new):
                found[new] = self._sum(VIDEO, traits, views.take(new), store, fold[new])
            return found
        return self._sum(kind, traits, views, store, fold)

    def _sum(self, kind: str, traits: Traits, views: Views, store: FeatureStore | None, fold: Int64) -> Float64:
        total = np.zeros((len(views), PLACES))
        for name in traits.names.get(kind, {}):
            owner, code = traits.codes(kind, name, views, store)
            total += _mean(owner, self.by_category[kind, name][fold[owner], code], len(views))[0]
        return total


@dataclass(frozen=True, eq=False)
class TraitColumns:
    """What categories say of V views; kinds that nobody has have no columns.

    Attributes
    ----------
    video, user : float64 (V, 3) or (V, 0)
        Log-odds that they add in first, middle and last segments.
    context : float64 (V, 4) or (V, 0)
        The same, and whether it is known.
    """

    video: Float64
    user: Float64
    context: Float64

    @classmethod
    def none(cls, n: int) -> TraitColumns:
        """Of views of which nothing is known."""
        return cls(np.zeros((n, 0)), np.zeros((n, 0)), np.zeros((n, 0)))

    @classmethod
    def of(
        cls,
        effects: Effects,
        traits: Traits,
        views: Views,
        store: FeatureStore | None,
        fold: Int64,
        video: Int64,
        no_context: Bool | None = None,
    ) -> TraitColumns:
        """Of some views; arguments as of :meth:`Effects.shift`, and (V,) whose context is to be unknown."""
        found = cls.none(len(views))
        for kind in traits.names:
            columns = effects.shift(kind, traits, views, store, fold, video)
            if kind == CONTEXT:
                columns = np.concatenate([columns, traits.known(CONTEXT, views, store)[:, None]], axis=1)
                if no_context is not None:
                    columns[no_context] = 0.0
            found = replace(found, **{kind: columns})
        return found

    @property
    def of_video(self) -> Float64:
        """(V, 3) what the video's categories add."""
        return self._added(self.video)

    @property
    def of_moment(self) -> Float64:
        """(V, 3) what those of user and context add, whatever the video."""
        return self._added(self.user) + self._added(self.context[:, :3])

    @staticmethod
    def _added(columns: Float64) -> Float64:
        return columns if columns.shape[1] else np.zeros((len(columns), 3))

    @property
    def columns(self) -> Float64:
        """(V, ·) all of them."""
        return np.concatenate([self.video, self.user, self.context], axis=1)


@dataclass(frozen=True, eq=False)
class EffectLearner:
    """Learns effects from the watched views of a log.

    Attributes
    ----------
    traits : Traits
    views : Views
    store : FeatureStore or None
    fold : int64 (V,)
        Of each view's user.
    folds : int
    video : int64 (V,)
    videos : Vocabulary
    """

    traits: Traits
    views: Views
    store: FeatureStore | None
    fold: Int64
    folds: int
    video: Int64
    videos: Vocabulary

    def learn(self, reached: Reached) -> Effects:
        """Context first, then what users are, then what videos are: each explains what the earlier ones leave."""
        shift = np.zeros((len(self.views), PLACES))
        by_category: dict[tuple[str, str], Float32] = {}
        of_video = Effects.none().of_video
        for kind in (CONTEXT, USER):
            sums = reached.surprise(shift)
            tables = {name: self._by_users(kind, name, sums) for name in self.traits.names.get(kind, {})}
            columns = [self._column(kind, name, table) for name, table in tables.items()]
            for name, (weight, centre) in zip(tables, self._stack(reached, shift, columns), strict=True):
                by_category[kind, name] = _scaled(tables[name], weight, centre)
                shift = shift + self._column(kind, name, by_category[kind, name])[0]
        if VIDEO in self.traits.names:
            tables, columns, own = self._by_videos(reached.surprise(shift))
            of_video = np.zeros((len(self.videos), self.folds + 1, PLACES), np.float32)
            for name, (weight, centre) in zip(tables, self._stack(reached, shift, columns), strict=True):
                by_category[VIDEO, name] = _scaled(tables[name], weight, centre)
                values, known = own[name]
                of_video += ((values - centre) * weight * known[None, :, None]).transpose(1, 0, 2).astype(np.float32)
        return Effects(by_category, of_video)

    def _by_users(self, kind: str, name: str, sums: Float64) -> Float64:
        """(folds + 1, K, 3) effects of categories of users or views."""
        owner, code = self.traits.codes(kind, name, self.views, self.store)
        size = len(self.traits.names[kind][name])
        by_fold = _added(code * self.folds + self.fold[owner], sums[owner], size * self.folds)
        by_fold = by_fold.reshape(size, self.folds, -1)
        total = by_fold.sum(axis=1)
        products = total**2 - (by_fold**2).sum(axis=1)
        variance = _variance(products[:, :PLACES], products[:, PLACES:], total[:, PLACES:])
        left = np.concatenate([total - by_fold.transpose(1, 0, 2), total[None]])
        return _effect(left, variance)

    def _by_videos(
        self, sums: Float64
    ) -> tuple[dict[str, Float64], list[tuple[Float64, np.ndarray]], dict[str, tuple[Float64, np.ndarray]]]:
        """Of attributes of videos: effects by category, columns of the views, and effects of each video from others."""
        store = self.store
        assert store is not None
        rows = np.array([-1, *(store.rows.get(v, -1) for v in self.videos.ids)], dtype=np.int64)
        by_fold = _added(self.video * self.folds + self.fold, sums, len(rows) * self.folds)
        by_fold = by_fold.reshape(len(rows), self.folds, -1)
        total = by_fold.sum(axis=1)
        surprise, weight = total[:, :PLACES], total[:, PLACES:]
        spread = _variance(surprise**2 - weight, weight**2, weight)
        # Of the video's own, so that a video of a thousand views does not speak for all with its tag.
        left = np.concatenate([total - by_fold.transpose(1, 0, 2), total[None]])
        left /= np.tile(1.0 + spread * left[..., PLACES:], 2)
        tables, columns, own = {}, [], {}
        for name, vocabulary in self.traits.names[VIDEO].items():
            owner, code = self.traits.of_videos(name, rows, store)
            size = len(vocabulary)
            of_category = np.stack([_added(code, one[owner], size) for one in left])
            products = of_category[-1] ** 2 - _added(code, left[-1][owner] ** 2, size)
            variance = _variance(products[:, :PLACES], products[:, PLACES:], of_category[-1][:, PLACES:])
            tables[name] = _effect(of_category, variance)
            values = np.zeros((self.folds + 1, len(rows), PLACES))
            for k in range(self.folds + 1):
                values[k], known = _mean(owner, _effect(of_category[k, code] - left[k, owner], variance), len(rows))
            own[name] = values, known
            columns.append((values[self.fold, self.video], known[self.video]))
        return tables, columns, own

    def _column(self, kind: str, name: str, table: np.ndarray) -> tuple[Float64, np.ndarray]:
        """(V, 3) effects that the views have, and (V,) which have any."""
        owner, code = self.traits.codes(kind, name, self.views, self.store)
        return _mean(owner, table[self.fold[owner], code], len(self.views))

    def _stack(
        self, reached: Reached, shift: Float64, columns: list[tuple[Float64, np.ndarray]]
    ) -> list[tuple[Float64, Float64]]:
        """Weight (3,), none negative, and centre over views (3,) of each column: a logistic regression by place."""
        if not columns:
            return []
        centres = [values[known].mean(axis=0) if known.any() else np.zeros(PLACES) for values, known in columns]
        x = np.stack([(v - c) * k[:, None] for (v, k), c in zip(columns, centres, strict=True)], axis=2)
        weights = np.zeros((PLACES, len(columns)))
        believed = np.ones(weights.shape, dtype=bool)
        for _ in range(_NEWTON_STEPS):
            sums = reached.surprise(shift + np.einsum("vpa,pa->vp", x, weights))
            for p in range(PLACES):
                pull = x[:, p].T @ sums[:, p] - _WEIGHT_PRECISION * weights[p]
                curvature = (x[:, p].T * sums[:, PLACES + p]) @ x[:, p] + _WEIGHT_PRECISION * np.eye(len(columns))
                weights[p] = _positive(curvature, curvature @ weights[p] + pull, believed[p])
        return [(weights[:, i], centre) for i, centre in enumerate(centres)]


def _positive(curvature: Float64, target: Float64, believed: Bool) -> Float64:
    """Weights w >= 0 with curvature · w = target, without the columns whose weight would be negative.

    A column that says nothing gets one: without a video, its category looks a little more like the opposite of it.
    """
    while True:
        found = np.zeros(len(target))
        found[believed] = np.linalg.solve(curvature[np.ix_(believed, believed)], target[believed])
        if (found >= 0).all():
            return found
        believed[found.argmin()] = False


def _added(cell: Int64, values: Float64, cells: int) -> Float64:
    """(cells, C) sums of values (R, C) by cell."""
    return np.stack([np.bincount(cell, column, cells) for column in values.T], axis=1)


def _mean(owner: Rows, values: np.ndarray, owners: int) -> tuple[Float64, np.ndarray]:
    """Mean of values (R, 3) by owner, 0 where there are none, and who has any."""
    count = np.bincount(owner, minlength=owners)
    return _added(owner, values.astype(np.float64), owners) / np.maximum(count, 1)[:, None], count > 0


def _variance(surprise: Float64, weight: Float64, information: Float64) -> Float64:
    """(3,) between K categories, by moments; 0 where they differ no more than by chance.

    Parameters
    ----------
    surprise : float64 (K, 3)
        Of each category, what should be its squared effect times ``weight``.
    weight : float64 (K, 3)
    information : float64 (K, 3)
        Sums of h (1 - h): categories count for as much as their effects are known, given the variance found so far.
    """
    found: Float64 = np.zeros(PLACES)
    for _ in range(_VARIANCE_STEPS):
        trust = 1.0 / (1.0 + found * information) ** 2
        found = np.maximum((surprise * trust).sum(axis=0), 0.0) / np.maximum((weight * trust).sum(axis=0), 1e-9)
    return found


def _effect(sums: Float64, variance: Float64) -> Float64:
    """(..., 3) shrunken effects behind sums (..., 6)."""
    found: Float64 = variance * sums[..., :PLACES] / (variance * np.maximum(sums[..., PLACES:], 0.0) + 1.0)
    return found


def _scaled(table: Float64, weight: Float64, centre: Float64) -> Float32:
    scaled = ((table - centre) * weight).astype(np.float32)
    scaled[:, 0] = 0.0
    return scaled
