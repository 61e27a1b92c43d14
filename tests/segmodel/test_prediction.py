"""SkipPrediction: what a prediction means is the same whether it comes from hazards, exits or scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.views import Views, make_views
from segmodel.prediction import from_hazard, from_slots


@pytest.fixture
def views(make_log: Callable[..., Interactions]) -> Views:
    """N = 3, 1."""
    return make_views(make_log(("a", "three", 1, 1, 12_000), ("a", "one", 2, 1, 4_000)))


HAZARD = np.array([[0.5, 0.2, 0.5, 0.9], [0.25, 0.9, 0.9, 0.9]])


def test_a_hazard_model_by_hand(views: Views) -> None:
    found = from_hazard(HAZARD, views)
    np.testing.assert_allclose(found.slots, [[0.5, 0.1, 0.2, 0.2, 0], [0.25, 0.75, 0, 0, 0]])
    np.testing.assert_allclose(found.skip_probability, [[0.5, 0.1, 0.2, 0], [0.25, 0, 0, 0]])
    np.testing.assert_allclose(found.completion, [0.2, 0.75])
    np.testing.assert_allclose(found.survival, [[0.5, 0.4, 0.2, 0.2], [0.75] * 4])
    np.testing.assert_allclose(found.hazard, [[0.5, 0.2, 0.5, 0], [0.25, 0, 0, 0]])
    np.testing.assert_allclose(found.interest, [[0, np.log(4), 0, 0], [np.log(3), 0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(
        found.expected_watch_s, [0.5 * 2.5 + 0.1 * 7.5 + 0.2 * 11 + 0.2 * 12, 0.25 * 2 + 0.75 * 4]
    )
    np.testing.assert_array_equal(found.leave_score, found.slots)
    assert found.knows_length


def test_certain_hazards_have_finite_interest(views: Views) -> None:
    found = from_hazard(np.array([[0.0, 1.0, 0.5, 0.5], [1.0, 0, 0, 0]]), views)
    assert np.isfinite(found.interest).all()
    assert found.interest[0, 0] > 20
    assert found.interest[0, 1] < -20


def test_scores_of_a_ranking_model_are_its_interest(views: Views) -> None:
    slots = from_hazard(HAZARD, views).slots
    score = np.arange(10.0).reshape(2, 5)
    found = from_slots(slots, views, leave_score=-score, interest=score[:, :-1])
    np.testing.assert_array_equal(found.interest, [[0, 1, 2, 0], [5, 0, 0, 0]])
    np.testing.assert_array_equal(found.leave_score, -score)


@pytest.mark.parametrize(
    "row", [[0.5, 0.4, 0, 0, 0], [1.5, -0.5, 0, 0, 0], [np.nan, 0, 0, 0, 0], [np.nan, 0, 0, 0, 1], [np.inf, 0, 0, 0, 0]]
)
def test_what_is_no_distribution_is_refused_by_its_row(views: Views, row: list[float]) -> None:
    slots = np.array([[0.5, 0.1, 0.2, 0.2, 0], row])
    with pytest.raises(ValueError, match="exit probabilities of view 1 are no distribution"):
        from_slots(slots, views)


def test_probability_beyond_the_end_is_refused(views: Views) -> None:
    with pytest.raises(
        ValueError, match="of view 1 are no distribution over its 1 segments and completion: they sum to 0"
    ):
        from_slots(np.array([[0.5, 0.1, 0.2, 0.2, 0], [0.25, 0.5, 0.25, 0, 0]]), views)
