"""Which views are effective, by hand, and what a survival curve says about it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.views import Views, make_views
from segmodel.prediction import from_hazard
from segmodel.recommend.effective import EffectiveViews, watch_ratio
from segmodel.recommend.from_survival import effective_parts, effective_probability, interest_survival

MakeLog = Callable[..., Interactions]


def views_of(make_log: MakeLog, *watch_duration: tuple[int, int]) -> Views:
    return make_views(make_log(*(("u", f"v{i}", i, w, d) for i, (w, d) in enumerate(watch_duration))))


@pytest.fixture
def train(make_log: MakeLog) -> Views:
    """Eight views: quartiles of the duration at 4, 8 and 8 s."""
    short = [(1_000, 4_000), (2_000, 4_000), (6_000, 4_000)]
    middle = [(8_000, 8_000), (8_000, 8_000), (8_000, 8_000), (2_000, 8_000)]
    return views_of(make_log, *short, *middle, (3_000, 12_000))


def test_golden_table(train: Views, make_log: MakeLog) -> None:
    found = EffectiveViews.of(train, buckets=4)
    # The two edges at 8 s are one; no bucket is empty.
    assert found.edges_ms.tolist() == [4_000, 8_000]
    assert found.median.tolist() == [0.5, 1.0, 0.25]
    # No middle view went beyond its median, nor did the only long one: there, reaching it is enough.
    assert found.reached.tolist() == [False, True, True]
    assert found.labels(train).tolist() == [False, False, True, True, True, True, False, True]
    others = views_of(
        make_log, (2_000, 3_900), (2_000, 3_999), (2_001, 4_000), (7_999, 8_000), (4_999, 20_000), (5_000, 20_000)
    )
    assert found.bucket(others.duration_ms).tolist() == [0, 0, 0, 1, 2, 2]
    assert found.labels(others).tolist() == [True, True, True, False, False, True]


def test_ratios_are_not_capped(make_log: MakeLog) -> None:
    views = views_of(make_log, (4_000, 4_000), (4_800, 4_000), (6_000, 4_000), (1_000, 4_000), (8_000, 4_000))
    assert watch_ratio(views).max() == 2.0
    found = EffectiveViews.of(views)
    assert found.edges_ms.tolist() == []
    assert found.median.tolist() == [1.2]
    assert found.labels(views).tolist() == [False, False, True, False, True]
    # Two of four completed views went beyond.
    assert found.beyond.tolist() == [0.5]


def test_half_of_the_training_views_are_effective_in_every_bucket(make_log: MakeLog, rng: np.random.Generator) -> None:
    duration = rng.integers(5_000, 200_000, 400)
    watch = rng.integers(1, 250_000, 400)
    views = views_of(make_log, *zip(watch.tolist(), duration.tolist(), strict=True))
    found = EffectiveViews.of(views)
    bucket = found.bucket(views.duration_ms)
    assert np.bincount(bucket).tolist() == [40] * 10
    assert all(found.labels(views)[bucket == k].mean() == 0.5 for k in range(10))


def test_watch_times_are_needed(train: Views) -> None:
    with pytest.raises(ValueError, match="at least one"):
        EffectiveViews.of(train.take(np.zeros(0, int)))


def test_survives_plain_text(train: Views) -> None:
    found = EffectiveViews.of(train, buckets=4)
    again = EffectiveViews.restored(json.loads(json.dumps(found.state())))
    for name in ("edges_ms", "median", "reached", "beyond"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def of_median(median: float, beyond: float = 1.0) -> EffectiveViews:
    return EffectiveViews(np.zeros(0, np.int64), np.array([median]), np.zeros(1, bool), np.array([beyond]))


@pytest.mark.parametrize(
    ("median", "beyond", "probability"),
    [
        # 12 s are segments of 5, 5 and 2 s with survival .8, .4 and .3.
        (0.0, 1.0, 1.0),
        (2.5 / 12, 1.0, 0.9),
        (5 / 12, 1.0, 0.8),
        (6 / 12, 1.0, 0.72),
        (11 / 12, 1.0, 0.35),
        (1.0, 1.0, 0.3),
        (1.3, 0.5, 0.15),
    ],
)
def test_probability_by_hand(make_log: MakeLog, median: float, beyond: float, probability: float) -> None:
    views = views_of(make_log, (1_000, 12_000))
    hazard = np.array([[0.2, 0.5, 0.25, 0.0]])
    effective = of_median(median, beyond)
    found = from_hazard(hazard, views)
    np.testing.assert_allclose(effective_probability(found.survival, views, effective), [probability])
    weight, score = effective_parts(hazard, views, effective)
    np.testing.assert_allclose(np.exp(score.sum(axis=1)) * (beyond if median >= 1 else 1.0), [probability])
    assert (weight >= 0).all()
    assert (weight <= 1).all()
    assert (score[weight == 0] == 0).all()


def test_survival_comes_back_from_interest(make_log: MakeLog, rng: np.random.Generator) -> None:
    views = views_of(make_log, (1_000, 12_000), (1_000, 4_000), (1_000, 31_000))
    found = from_hazard(rng.uniform(0.01, 0.9, (3, 8)), views)
    np.testing.assert_allclose(interest_survival(found.interest, views), found.survival, rtol=1e-6)
