"""Interest in the segments of views, from models that were not shown how those views ended.

A model knows how its own training views ended: an item histogram, or statistics of a video that only one user has seen,
gives the answer away. SegRec trained on such weights would trust them, and find them worthless on test views. So the
views that SegRec learns from or is chosen by get their interest from a fit on the other folds (cross-fitting), and test
views, which no fit has seen, the mean of all these fits: weights of one kind, for about the price of one whole fit
where there are two folds. With a single fold all views get it from one fit, which is the plain procedure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import Rows, Views
from segmodel.models.base import FitRun, SegmentModel


def view_folds(views: Views, rows: Rows, folds: int, seed: int) -> Rows:
    """Fold 0 .. folds - 1 of the views ``rows``, drawn at random; views of one user at one time stay together."""
    _, group = np.unique(np.stack([views.user[rows], views.time_ms[rows]]), axis=1, return_inverse=True)
    group = group.reshape(-1)
    draw = np.random.default_rng([seed, folds]).permutation(int(group.max(initial=-1)) + 1)
    return draw[group] % folds


def known_interest(
    make: Callable[[], SegmentModel],
    data: Dataset,
    split: Split,
    run: FitRun,
    folds: int,
) -> Float64:
    """Interest in the segments of every view of ``split``.

    Parameters
    ----------
    make : callable
        Gives an unfitted model.
    data : Dataset
        V views.
    split : Split
    run : FitRun
    folds : int
        1: the plain procedure.

    Returns
    -------
    float64 (V, S)
        Zeros for views that are in no part of the split.

    Raises
    ------
    ValueError
        If the model cannot be fitted.
    """
    spent = np.sort(np.concatenate([split.train, split.valid]))
    fold = view_folds(data.views, spent, folds, run.seed)
    interest = np.zeros((len(data), 0))
    for k in range(folds):
        # All views are asked of a single fit; otherwise held-back ones stand with the test views, which a model may
        # use as histories of later views, and no further.
        held = spent[fold == k]
        asked = np.sort(np.concatenate([held, split.test]))
        part = split
        if folds > 1:
            part = Split(np.setdiff1d(split.train, held), np.setdiff1d(split.valid, held), asked)
        model = make()
        model.fit(data, part, run)
        found = model.predict(data.take(asked)).interest
        if not interest.shape[1]:
            interest = np.zeros((len(data), found.shape[1]))
        share = np.where(np.isin(asked, split.test), 1.0 / folds, 1.0)
        interest[asked] += share[:, None] * found
    return interest
