"""Measures of a recommender: AUC, F1 and logloss over all views, GAUC, NDCG@10 and Recall@10 user by user.

All are functions of how often each user counts, so that the same lines give the figure itself (everybody once) and its
bootstrap. Array letters: V views, U users, D draws.

- AUC: ties count half. F1: effective = probability of at least one half. logloss: in nats, probabilities kept off 0 and
  1 as scikit-learn keeps them.
- GAUC: AUC of each user's views, weighted by their number. NDCG@10, Recall@10: of each user's views by descending
  probability, ties against the model; a mean over users.
- The last three count users with both kinds of views, and Recall@10 those with more than ten: any order of fewer
  recalls everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segfeat.types import Bool, Float64
from segmodel.evaluation.bootstrap import DRAWS, Interval, training_intervals
from segmodel.survival import Array

CUT_OFF = 10
THRESHOLD = 0.5
_SMALL = float(np.finfo(np.float64).eps)
_DRAWS_AT_ONCE = 100
"""Bounds the memory of a bootstrap: so many times V numbers."""

OVERALL = ("auc", "f1", "logloss")
PER_USER = ("gauc", "ndcg@10", "recall@10")
MEASURES = (*OVERALL, *PER_USER)


@dataclass(frozen=True, eq=False)
class Rated:
    """Probabilities of one model for V views, reduced to what the measures need.

    Attributes
    ----------
    order : int (V,)
        Views by ascending probability.
    first, end : int (V,)
        In that order, where the views tied with each begin and end.
    label : float (V,)
    user : int (V,)
        0 .. U - 1.
    sums : float (U, 5)
        Per user: views, true positives, false positives, false negatives, summed loss.
    ranking : float (U, 3)
        Per user: :data:`PER_USER`, NaN where they do not count.
    """

    order: Array
    first: Array
    end: Array
    label: Float64
    user: Array
    sums: Float64
    ranking: Float64

    def measured(self, weight: Float64) -> Float64:
        """:data:`MEASURES` (D, 6) with users counting ``weight`` (D, U) times; NaN where undefined."""
        sums = weight @ self.sums
        with np.errstate(invalid="ignore", divide="ignore"):
            hit = 2.0 * sums[:, 1]
            wrong = sums[:, 2] + sums[:, 3]
            f1 = np.where(hit + wrong > 0, hit / (hit + wrong), 0.0)
            logloss = sums[:, 4] / sums[:, 0]
            counted = ~np.isnan(self.ranking)
            importance = np.stack([self.sums[:, 0], np.ones(len(self.sums)), np.ones(len(self.sums))], axis=1) * counted
            ranking = (weight @ np.where(counted, self.ranking * importance, 0.0)) / (weight @ importance)
        return np.concatenate([np.stack([self._auc(weight), f1, logloss], axis=1), ranking], axis=1)

    def _auc(self, weight: Float64) -> Float64:
        label, user = self.label[self.order], self.user[self.order]
        found = []
        for start in range(0, len(weight), _DRAWS_AT_ONCE):
            view = weight[start : start + _DRAWS_AT_ONCE, user]
            negative = np.concatenate([np.zeros((len(view), 1)), np.cumsum(view * (1.0 - label), axis=1)], axis=1)
            positive = view * label
            below = (negative[:, self.first] + negative[:, self.end]) / 2.0
            pairs = positive.sum(axis=1) * negative[:, -1]
            won = (positive * below).sum(axis=1)
            found.append(np.divide(won, pairs, out=np.full(len(view), np.nan), where=pairs > 0))
        return np.concatenate(found)


def rate(probability: Float64, label: Bool, user: Array) -> Rated:
    """Reduce one model's probabilities (V,) of views with labels (V,) by users (V,), any codes."""
    _, code = np.unique(user, return_inverse=True)
    y = label.astype(np.float64)
    kept = np.clip(probability, _SMALL, 1.0 - _SMALL)
    loss = -(y * np.log(kept) + (1.0 - y) * np.log1p(-kept))
    chosen = (probability >= THRESHOLD).astype(np.float64)
    columns = np.stack([np.ones(len(y)), y * chosen, (1.0 - y) * chosen, y * (1.0 - chosen), loss], axis=1)
    users = int(code.max(initial=-1)) + 1
    sums = np.stack([np.bincount(code, column, users) for column in columns.T], axis=1).astype(np.float64)
    order = np.argsort(probability, kind="stable")
    ascending = probability[order]
    first = np.searchsorted(ascending, ascending, side="left")
    end = np.searchsorted(ascending, ascending, side="right")
    rows = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code, minlength=users))[:-1])
    ranking = np.array([_user_ranking(probability[r], label[r]) for r in rows]).reshape(users, len(PER_USER))
    return Rated(order, first, end, y, code, sums, ranking)


def _user_ranking(probability: Float64, label: Bool) -> tuple[float, float, float]:
    """GAUC, NDCG@10 and Recall@10 of one user's views."""
    good, bad = probability[label], probability[~label]
    if not len(good) or not len(bad):
        return (np.nan,) * 3
    won = (good[:, None] > bad[None, :]).mean() + (good[:, None] == bad[None, :]).mean() / 2.0
    ranked = label[np.lexsort((label, -probability))]
    discount = 1.0 / np.log2(np.arange(2, CUT_OFF + 2))
    ndcg = float(ranked[:CUT_OFF] @ discount[: len(ranked)]) / float(discount[: len(good)].sum())
    recall = float(ranked[:CUT_OFF].sum()) / len(good) if len(ranked) > CUT_OFF else np.nan
    return float(won), ndcg, recall


def figures(rated: Sequence[Rated]) -> Float64:
    """:data:`MEASURES` of each seed, (seeds, 6)."""
    return np.concatenate([r.measured(np.ones((1, len(r.sums)))) for r in rated])


def distances(
    models: Sequence[Sequence[Rated]], reference: Sequence[Rated], draws: int = DRAWS
) -> list[list[Interval]]:
    """Of each model to the reference: one interval per measure, over users and trainings.

    Training by training: the first of a model and the first of the reference began with the same weights and saw the
    same batches, and so on. Bounds are NaN where fewer than two users decide.
    """

    def measure(weight: Float64) -> list[Float64]:
        base, *others = (np.stack([r.measured(weight) for r in trainings]) for trainings in (reference, *models))
        return [np.zeros((1, *base.shape[1:])), *(other - base for other in others)]

    return training_intervals(measure, len(reference[0].sums), users_counted(reference[0]), draws)


def users_counted(rated: Rated) -> list[int]:
    """How many users count in each of :data:`MEASURES`."""
    return [len(rated.sums)] * len(OVERALL) + (~np.isnan(rated.ranking)).sum(axis=0).tolist()
