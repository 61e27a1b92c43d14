"""Interest in the segments of views, from models that were not shown how those views ended.

A model knows how its own training views ended: an item histogram, or statistics of a video that only one user has seen,
gives the answer away. SegRec trained on such weights would trust them, and find them worthless on test views. So the
views that SegRec learns from or is judged by get their interest from fits on other views (cross-fitting), and test
views get it from the fit on all of them, which has not seen them either. With a single fold all views get it from that
one fit, which is the plain procedure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segfeat.types import Float64
from segmodel.dataset import Dataset
from segmodel.models.base import FitRun, SegmentModel
from segmodel.splits import Split
from segmodel.views import Rows, Views


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
    full: SegmentModel | None = None,
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
    full : SegmentModel, optional
        The model already fitted on the whole split.

    Returns
    -------
    float64 (V, S)
        Zeros for views that are in no part of the split.

    Raises
    ------
    ValueError
        If the model cannot be fitted.
    """
    if full is None and (folds == 1 or len(split.test)):
        full = make()
        full.fit(data, split, run)
    spent = np.sort(np.concatenate([split.train, split.valid]))
    asked = split.test if folds > 1 else np.sort(np.concatenate([spent, split.test]))
    found: list[tuple[Rows, Float64]] = []
    if full is not None and len(asked):
        found.append((asked, full.predict(data.take(asked)).interest))
    fold = view_folds(data.views, spent, folds, run.seed)
    for k in range(folds if folds > 1 else 0):
        held = spent[fold == k]
        if not len(held):
            continue
        # Held-back views stand with the test views, which a model may use as histories of later views, and no further.
        part = Split(
            np.setdiff1d(split.train, held),
            np.setdiff1d(split.valid, held),
            np.sort(np.concatenate([held, split.test])),
        )
        model = make()
        model.fit(data, part, run)
        found.append((held, model.predict(data.take(held)).interest))
    interest = np.zeros((len(data), max(values.shape[1] for _, values in found)))
    for rows, values in found:
        interest[rows, : values.shape[1]] = values
    return interest
