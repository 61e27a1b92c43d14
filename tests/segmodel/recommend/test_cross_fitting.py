"""Interest of views whose ends the model was not shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split, temporal_split
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.recommend.cross_fitting import known_interest, view_folds


@pytest.fixture
def opened(store_path: Path, log: Interactions) -> tuple[Dataset, Split]:
    data = make_dataset(log, FeatureStore(store_path))
    return data, temporal_split(data.views)


def test_views_of_one_moment_share_a_fold(opened: tuple[Dataset, Split]) -> None:
    data, split = opened
    rows = split.train
    fold = view_folds(data.views, rows, 3, seed=0)
    moment = list(zip(data.views.user[rows].tolist(), data.views.time_ms[rows].tolist(), strict=True))
    assert len(set(zip(moment, fold.tolist(), strict=True))) == len(set(moment)) < len(rows)
    counts = np.bincount(fold)
    assert len(counts) == 3
    assert counts.min() > 0.8 * counts.max()
    assert (view_folds(data.views, rows, 3, seed=0) == fold).all()
    assert (view_folds(data.views, rows, 3, seed=1) != fold).any()


def changed(data: Dataset, row: int) -> Dataset:
    """The same views, one of which ended elsewhere; histories are left as they are, so that only labels can leak."""
    views = data.views.take(np.arange(len(data)))
    views.exit[row] = 0 if views.exit[row] else views.segments[row]
    return Dataset(views, data.past, data.history, data.store)


@pytest.mark.parametrize("name", ["item-position", "widedeep", "hazard"])
@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_view_has_no_say_in_its_own_interest(opened: tuple[Dataset, Split], name: str, part: str) -> None:
    data, split = opened
    row = int(getattr(split, part)[5])
    settings = {"epochs": 1} | ({"members": 1} if name == "hazard" else {}) if name != "item-position" else {}

    def interest(of: Dataset, folds: int) -> np.ndarray:
        return known_interest(lambda: make_model(name, settings), of, split, FitRun(seed=0), folds)

    before, after = (interest(d, 2) for d in (data, changed(data, row)))
    np.testing.assert_array_equal(before[row], after[row])
    assert before[row].any()
    # The plain procedure is where it has one: the training view decides about the model that is asked about it.
    if part == "train":
        assert (interest(data, 1)[row] != interest(changed(data, row), 1)[row]).any()


def test_one_fold_is_one_fit(opened: tuple[Dataset, Split]) -> None:
    data, split = opened
    model = make_model("item-position")
    model.fit(data, split, FitRun(seed=0))
    found = known_interest(lambda: make_model("item-position"), data, split, FitRun(seed=0), 1)
    np.testing.assert_array_equal(found, model.predict(data).interest)


def test_test_views_get_the_mean_of_the_fits(opened: tuple[Dataset, Split]) -> None:
    data, split = opened
    fits = []

    def make() -> SegmentModel:
        fits.append(make_model("item-position"))
        return fits[-1]

    found = known_interest(make, data, split, FitRun(seed=0), 3)
    assert len(fits) == 3
    test = data.take(split.test)
    np.testing.assert_allclose(found[split.test], np.mean([m.predict(test).interest for m in fits], axis=0))
