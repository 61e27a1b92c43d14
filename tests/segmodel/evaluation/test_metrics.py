"""Metrics against hand-computed tables: ties, completions, single segments, the longest videos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from segmodel.evaluation.metrics import concordance, exit_brier, exit_nll, hit, masked_ranks, ndcg, paper_ranks

NAN = np.nan
F = False

# Leave scores of slots 0 .. 4 under max_segments = 4; N; exit; the rank by hand in the paper's protocol (length known),
# the same with all four slots competing, and in the masked protocol.
TABLE = [
    #                        N  exit paper  all masked
    ([5.0, 4.0, 3.0, 2.0, 9.0], 3, 0, 1, 1, 1),  # best first
    ([5.0, 4.0, 3.0, 2.0, 9.0], 3, 2, 3, 3, 3),  # last real segment
    ([5.0, 4.0, 3.0, 2.0, 9.0], 3, 3, 4, 4, NAN),  # completed: slot N
    ([5.0, 4.0, 3.0, 9.0, 9.0], 2, 1, 2, 3, 2),  # slot 3 lies beyond the end
    ([5.0, 4.0, 3.0, 9.0, 9.0], 2, 2, 3, 4, NAN),  # completed, with the same slot in the way
    ([7.0, 7.0, 7.0, 7.0, 7.0], 3, 1, 4, 4, 3),  # every tie counts against
    ([7.0, 7.0, 1.0, 7.0, 0.0], 2, 0, 2, 3, 2),  # a tie with slot 3, which only the length-blind suffer
    ([3.0, 8.0, 0.0, 0.0, 0.0], 1, 0, 2, 2, 1),  # one segment, skipped: completion competes
    ([3.0, 8.0, 0.0, 0.0, 0.0], 1, 1, 1, 1, NAN),  # one segment, completed
    ([1.0, 2.0, 3.0, 4.0, 99.0], 4, 3, 1, 1, 1),  # longest video, skipped: slot 4 is no candidate
    ([1.0, 2.0, 3.0, 4.0, 99.0], 4, 4, NAN, NAN, NAN),  # longest video, completed: left out
    ([1.0, 2.0, 3.0, 4.0, 99.0], 4, 0, 4, 4, 4),
]
SCORE = np.array([row[0] for row in TABLE])
SEGMENTS, EXIT = (np.array([row[i] for row in TABLE]) for i in (1, 2))


def column(index: int) -> np.ndarray:
    return np.array([row[index] for row in TABLE], dtype=float)


def test_ranks_follow_the_table() -> None:
    np.testing.assert_array_equal(paper_ranks(SCORE, SEGMENTS, EXIT, max_segments=4), column(3))
    np.testing.assert_array_equal(paper_ranks(SCORE, SEGMENTS, EXIT, knows_length=False, max_segments=4), column(4))
    np.testing.assert_array_equal(masked_ranks(SCORE, SEGMENTS, EXIT), column(5))


def test_forty_slots_by_default() -> None:
    score = np.zeros((2, 41))
    score[:, 39] = 1.0
    both = np.array([40, 40]), np.array([39, 40])
    np.testing.assert_array_equal(paper_ranks(score, *both), [1, NAN])
    np.testing.assert_array_equal(paper_ranks(score, *both, knows_length=False), [1, NAN])
    np.testing.assert_array_equal(paper_ranks(-score, np.array([3]).repeat(2), np.array([3, 0])), [4, 4])


def test_scores_narrower_than_the_slots_are_enough_where_the_length_is_known() -> None:
    narrow, n, y = np.array([[0.2, 0.5, 0.3]]), np.array([2]), np.array([2])
    np.testing.assert_array_equal(paper_ranks(narrow, n, y), [2])
    with pytest.raises(ValueError, match=r"3 slots have a score; .* all 40"):
        paper_ranks(narrow, n, y, knows_length=False)


def test_scores_that_are_no_numbers_never_help() -> None:
    score = np.array([[NAN, 1.0, 2.0, 0.0], [NAN, 1.0, 2.0, 0.0], [NAN] * 4])
    np.testing.assert_array_equal(masked_ranks(score, np.array([3, 3, 3]), np.array([0, 2, 1])), [3, 2, 3])


def test_gains_of_ranks() -> None:
    ranks = np.array([1.0, 2.0, 5.0, 6.0, 11.0, NAN])
    np.testing.assert_array_equal(hit(ranks, 1), [1, 0, 0, 0, 0, NAN])
    np.testing.assert_array_equal(hit(ranks, 5), [1, 1, 1, 0, 0, NAN])
    np.testing.assert_array_equal(hit(ranks, 10), [1, 1, 1, 1, 0, NAN])
    np.testing.assert_allclose(ndcg(ranks, 5), [1, 0.6309297536, 0.3868528072, 0, 0, NAN])
    np.testing.assert_allclose(ndcg(ranks, 10)[3], 0.3562071871)
    np.testing.assert_array_equal(ndcg(ranks, 1), hit(ranks, 1))


def test_likelihood_and_brier_by_hand() -> None:
    slots = np.array([[0.5, 0.25, 0.25], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0]])
    exit_ = np.array([1, 0, 1, 0])
    np.testing.assert_allclose(exit_nll(slots, exit_), [np.log(4), -np.log(0.9), np.log(10), 9 * np.log(10)])
    np.testing.assert_allclose(exit_brier(slots, exit_), [0.25 + 0.5625 + 0.0625, 0.02, 1.62, 2.0])


def test_the_best_expected_likelihood_and_brier_are_the_truth_s() -> None:
    """Both are proper: no other distribution scores better on average under the true one."""
    truth = np.array([0.5, 0.3, 0.2])
    others = np.random.default_rng(0).dirichlet(np.ones(3), size=200)

    def expected(metric: object, slots: np.ndarray) -> float:
        return float(truth @ metric(np.tile(slots, (3, 1)), np.arange(3)))  # type: ignore[operator]

    for metric in (exit_nll, exit_brier):
        best = expected(metric, truth)
        assert all(expected(metric, other) > best for other in others)


def test_concordance_by_hand() -> None:
    # Pairs (0,1) right, (0,2) tied in the prediction, (1,2) wrong; (2,3) does not count, (0,3) right, (1,3) wrong.
    predicted, actual = np.array([1.0, 3.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0, 4.0])
    assert concordance(predicted, actual) == pytest.approx((1 + 0.5 + 0 + 1 + 0) / 5)
    assert concordance(actual, actual) == 1.0
    assert concordance(-actual, actual) == 0.0
    assert concordance(np.ones(4), actual) == 0.5
    assert np.isnan(concordance(predicted, np.ones(4)))
    assert np.isnan(concordance(np.zeros(0), np.zeros(0)))
    assert np.isnan(concordance(np.ones(1), np.ones(1)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_concordance_is_the_count_over_all_pairs(values: list[tuple[int, int]]) -> None:
    predicted, actual = np.array(values, dtype=float).T
    counted, right = 0, 0.0
    for i in range(len(values)):
        for j in range(i):
            if actual[i] != actual[j]:
                counted += 1
                right += 0.5 + 0.5 * np.sign(predicted[i] - predicted[j]) * np.sign(actual[i] - actual[j])
    if counted:
        assert concordance(predicted, actual) == pytest.approx(right / counted)
    else:
        assert np.isnan(concordance(predicted, actual))


def test_concordance_of_outcomes_is_auc(rng: np.random.Generator) -> None:
    predicted, outcome = np.round(rng.random(500), 2), rng.random(500) < 0.4
    assert concordance(predicted, outcome) == pytest.approx(roc_auc_score(outcome, predicted))


@given(st.integers(0, 2**32 - 1))
def test_ranks_agree_with_sorting_and_padding_is_inert(seed: int) -> None:
    """A rank is where a stable sort puts the target when it stands behind all its equals."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 41, 8)
    exit_ = np.array([rng.integers(0, k + 1) for k in n])
    score = rng.integers(0, 6, (8, 41)).astype(float)
    slot = np.arange(41)[None, :]
    wide = np.where(slot > n[:, None], 1e9, score)
    found, masked = paper_ranks(wide, n, exit_), masked_ranks(wide, n, exit_)
    for i in range(8):
        for ranks, live in ((found, min(n[i] + 1, 40)), (masked, n[i])):
            if exit_[i] >= live:
                assert np.isnan(ranks[i])
                continue
            order = sorted(range(live), key=lambda s: (-score[i, s], s == exit_[i]))
            assert ranks[i] == order.index(exit_[i]) + 1
