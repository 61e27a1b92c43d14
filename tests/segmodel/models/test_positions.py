"""The references that know positions alone: histograms by hand, all slots ranked, chance that depends on the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split
from segmodel.data.views import make_views
from segmodel.evaluation.metrics import ndcg, paper_ranks
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.models.positions import chance

MakeLog = Callable[..., Interactions]
NAMES = ("random", "all-position", "user-position", "item-position")


@pytest.fixture
def data(make_log: MakeLog) -> Dataset:
    """User a leaves x in segment 0 three times, b completes the two segments of y twice; then three late views."""
    return make_dataset(
        make_log(
            *(("a", "x", t, 1_000, 10_000) for t in range(3)),
            *(("b", "y", t, 10_000, 10_000) for t in range(2)),
            ("a", "y", 9, 1, 15_000),
            ("b", "x", 9, 1, 15_000),
            ("c", "z", 9, 1, 199_000),
        )
    )


def late(data: Dataset) -> Dataset:
    return data.take(np.flatnonzero(data.views.time_ms == 9))


def trained(name: str, data: Dataset, **settings: object) -> SegmentModel:
    """Fitted on all views but the late ones."""
    model = make_model(name, settings)
    nothing = np.zeros(0, np.int64)
    model.fit(data, Split(np.flatnonzero(data.views.time_ms < 9), nothing, nothing), FitRun())
    return model


def test_histograms_by_hand(data: Dataset) -> None:
    """Everybody's: half a view in each of 41 slots besides the exits; one's own weighs against one view of those."""
    first_four = {name: trained(name, data).predict(late(data)).leave_score[:, :4] for name in NAMES[1:]}
    all_exits = np.array([3, 0, 2, 0])
    prior = (all_exits + 0.5) / (5 + 41 / 2)
    a, b = (np.array([3, 0, 0, 0]) + prior) / 4, (np.array([0, 0, 2, 0]) + prior) / 3
    np.testing.assert_allclose(first_four["all-position"], np.tile(prior, (3, 1)))
    np.testing.assert_allclose(first_four["user-position"], [a, b, prior])
    np.testing.assert_allclose(first_four["item-position"], [b, a, prior])


def test_a_position_beyond_the_end_may_rank_first(data: Dataset, make_log: MakeLog) -> None:
    """Who does not know N ranks a slot that the video does not have: the paper's protocol counts that against it."""
    model = trained("all-position", data)
    short = make_dataset(make_log(("a", "x", 9, 1, 4_000), ("a", "y", 9, 4_000, 4_000)))
    found = model.predict(short)
    assert not found.knows_length
    ranks = paper_ranks(found.leave_score, short.views.segments, short.views.exit, found.knows_length)
    # Slot 2, the likeliest but one, comes before slot 1, which ties with 37 others.
    np.testing.assert_array_equal(ranks, [1, 40])
    np.testing.assert_allclose(found.slots[0, :2], np.array([3.5, 0.5]) / 4.0)


@pytest.mark.parametrize("name", NAMES)
def test_exits_are_a_distribution_over_the_real_slots(name: str, data: Dataset) -> None:
    found = trained(name, data).predict(late(data))
    np.testing.assert_allclose(found.slots.sum(axis=1), 1.0)
    assert found.slots.shape == (3, 41)
    assert not found.slots[0, 4:].any()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_predicts_the_same(name: str, data: Dataset) -> None:
    model = trained(name, data, max_segments=40)
    copy = make_model(name, model.settings())
    copy.restore(*model.state())
    np.testing.assert_array_equal(copy.predict(data).leave_score, model.predict(data).leave_score)


@pytest.mark.parametrize(("name", "settings"), [("random", {}), ("all-position", {"sampled": True})])
def test_a_view_is_drawn_the_same_in_any_company(name: str, settings: dict[str, object], data: Dataset) -> None:
    model = trained(name, data, **settings)
    together = model.predict(data).leave_score
    for i in range(len(data)):
        np.testing.assert_array_equal(model.predict(data.take(np.array([i]))).leave_score[0], together[i])
    assert len(np.unique(together, axis=0)) == len(data)


def test_chance_goes_by_ids_and_time_not_by_codes(make_log: MakeLog) -> None:
    rows = [(f"u{i % 7}", f"v{i % 11}", i, 1, 9_000) for i in range(40)]
    one, other = make_views(make_log(*rows)), make_views(make_log(*rows[::-1]))
    assert one.user_ids.tolist() != other.user_ids.tolist()
    order = np.argsort(one.time_ms), np.argsort(other.time_ms)
    np.testing.assert_array_equal(chance(one, 5, 41)[order[0]], chance(other, 5, 41)[order[1]])
    assert (chance(one, 6, 41) != chance(one, 5, 41)).all()
    later = replace(one, time_ms=one.time_ms + 1)
    assert (chance(later, 5, 41) != chance(one, 5, 41)).all()
    assert chance(make_views(make_log()), 0, 41).shape == (0, 41)


def test_chance_is_uniform_and_without_pattern(make_log: MakeLog) -> None:
    views = make_views(make_log(*((f"u{i}", "v", 0, 1, 9_000) for i in range(2_000))))
    draw = chance(views, 0, 20)
    assert kstest(draw.ravel(), "uniform").pvalue > 0.01
    correlation = np.corrcoef(draw.T) - np.eye(20)
    assert np.abs(correlation).max() < 0.1
    assert abs(np.corrcoef(draw[:-1].ravel(), draw[1:].ravel())[0, 1]) < 0.03


def test_random_ranks_as_the_paper_reports(make_log: MakeLog) -> None:
    """He et al. 2025, Table 2: HR@1 .0244, NDCG@5 .0737, NDCG@10 .1142 among 40 slots."""
    data = make_dataset(make_log(*((f"u{i}", "v", 0, 1, 50_000) for i in range(8_000))))
    found = trained("random", data).predict(data)
    ranks = paper_ranks(found.leave_score, data.views.segments, data.views.exit, knows_length=False)
    assert (ranks == 1).mean() == pytest.approx(1 / 40, abs=0.006)
    assert ndcg(ranks, 5).mean() == pytest.approx(0.0737, abs=0.006)
    assert ndcg(ranks, 10).mean() == pytest.approx(0.1136, abs=0.006)


def test_sampled_slots_come_first(make_log: MakeLog) -> None:
    """Drawn as in the public code: the likeliest slot leads only as often as it is drawn."""
    log = make_log(*((f"u{i}", "v", i, 1 if i % 2 else 11_000, 50_000) for i in range(4_000)))
    data = make_dataset(log)
    model = make_model("all-position", {"sampled": True})
    everything = np.arange(len(data))
    model.fit(data, Split(everything, everything[:0], everything[:0]), FitRun())
    score = model.predict(data).leave_score
    drawn = score >= 1.0
    assert drawn[:, 0].mean() == pytest.approx(0.5, abs=0.03)
    assert drawn[:, 2].mean() == pytest.approx(0.5, abs=0.03)
    assert drawn[:, [1, *range(3, 41)]].mean() < 0.002
    # Slot 0 leads where it is drawn alone, half of the times it is drawn with slot 2, and seldom otherwise.
    assert (score.argmax(axis=1) == 0).mean() == pytest.approx(0.25 + 0.125, abs=0.03)
