"""Measures by hand, with ties and one-sided users, and beside scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, ndcg_score, roc_auc_score

from segfeat.types import Bool, Float64
from segmodel.recommend.metrics import MEASURES, Rated, distances, figures, rate

#           user a               user b     user c: all effective
PROBABILITY = np.array([0.9, 0.8, 0.8, 0.3, 0.2, 0.2, 0.5, 0.1])
LABEL = np.array([1, 0, 1, 0, 1, 0, 1, 1], dtype=bool)
USER = np.array(["a"] * 4 + ["b"] * 2 + ["c"] * 2)


def measured(probability: np.ndarray, label: np.ndarray, user: np.ndarray) -> dict[str, float]:
    return dict(zip(MEASURES, figures([rate(probability, label, user)])[0].tolist(), strict=True))


def test_golden_table() -> None:
    found = measured(PROBABILITY, LABEL, USER)
    # Of 5 × 3 pairs: .9 wins 3, .8 wins 1 and ties 1 and wins 1, .2 ties 1, .5 wins 2, .1 wins none.
    assert found["auc"] == pytest.approx((3 + 2.5 + 0.5 + 2 + 0) / 15)
    # Chosen: .9, .8, .8 and .5, three of them rightly; two are missed.
    assert found["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    given = np.where(LABEL, PROBABILITY, 1 - PROBABILITY)
    assert found["logloss"] == pytest.approx(-np.log(given).mean())
    # a: 3.5 of 4 pairs, b: a tie; c has nothing to order.
    assert found["gauc"] == pytest.approx((4 * 3.5 / 4 + 2 * 0.5) / 6)
    # a: the tie at .8 goes to the wrong one, so 1 0 1 0; b: 0 1.
    a, b = (1 + 1 / 2) / (1 + 1 / np.log2(3)), 1 / np.log2(3)
    assert found["ndcg@10"] == pytest.approx((a + b) / 2)
    # Nobody has more than ten views.
    assert np.isnan(found["recall@10"])


def test_recall_of_more_than_ten_views() -> None:
    label = np.zeros(12, bool)
    label[[0, 10, 11]] = True
    found = measured(np.linspace(0.9, 0.1, 12), label, np.zeros(12))
    assert found["recall@10"] == pytest.approx(1 / 3)
    assert found["ndcg@10"] == pytest.approx(1 / (1 + 1 / np.log2(3) + 1 / 2))
    # All tied: the effective ones come last.
    found = measured(np.full(12, 0.5), label, np.zeros(12))
    assert (found["recall@10"], found["auc"]) == (pytest.approx(1 / 3), 0.5)


def test_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    label, user = rng.random(300) < 0.4, rng.integers(0, 9, 300)
    probability = np.round(np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1), 2)
    found = measured(probability, label, user)
    assert found["auc"] == pytest.approx(roc_auc_score(label, probability))
    assert found["f1"] == pytest.approx(f1_score(label, probability >= 0.5))
    assert found["logloss"] == pytest.approx(log_loss(label, probability))
    own = [roc_auc_score(label[user == u], probability[user == u]) for u in range(9)]
    assert found["gauc"] == pytest.approx(np.average(own, weights=np.bincount(user)))
    # Without ties there is one ranking, and one NDCG.
    untied = rng.permutation(300) / 300
    own = [ndcg_score(label[user == u][None], untied[user == u][None], k=10) for u in range(9)]
    assert measured(untied, label, user)["ndcg@10"] == pytest.approx(np.mean(own))


@pytest.mark.parametrize("all_effective", [True, False])
def test_one_kind_of_view_leaves_nothing_to_order(all_effective: bool) -> None:
    found = measured(PROBABILITY, np.full(8, all_effective), USER)
    assert all(np.isnan(found[m]) for m in ("auc", "gauc", "ndcg@10", "recall@10"))
    assert found["f1"] == (pytest.approx(2 * 4 / (2 * 4 + 4)) if all_effective else 0.0)


def test_sure_and_wrong_costs_a_finite_loss() -> None:
    found = measured(np.array([0.0, 1.0]), np.array([True, False]), np.zeros(2))
    assert found["logloss"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_a_user_counted_twice_is_two_users(rng: np.random.Generator) -> None:
    label, user, probability = rng.random(60) < 0.5, np.arange(60) % 4, np.round(rng.random(60), 1)
    weight = np.array([[2.0, 0.0, 1.0, 3.0]])
    rows = [(u, copy) for u, times in enumerate([2, 0, 1, 3]) for copy in range(times)]
    views = np.concatenate([np.flatnonzero(user == u) for u, _ in rows])
    names = np.concatenate([[f"{u}-{copy}"] * 15 for u, copy in rows])
    expected = figures([rate(probability[views], label[views], names)])
    np.testing.assert_allclose(rate(probability, label, user).measured(weight), expected)


def test_intervals_know_signal_from_noise(rng: np.random.Generator) -> None:
    label, user = rng.random(600) < 0.5, np.arange(600) % 30
    good, noise, other = (
        rate(p, label, user) for p in (0.3 + 0.4 * label * rng.random(600), rng.random(600), rng.random(600))
    )
    (auc, f1, logloss, *_), of_noise = distances([[good], [other]], [noise], draws=300)
    assert auc.clear
    assert auc.low < auc.mean < auc.high
    assert logloss.high < 0
    assert f1.mean == pytest.approx(figures([good])[0, 1] - figures([noise])[0, 1])
    assert not of_noise[0].clear


@pytest.mark.parametrize("trainings", [10, 2])
def test_intervals_carry_the_noise_of_trainings(rng: np.random.Generator, trainings: int) -> None:
    """Of two models that are equally good on average, 95 % intervals leave zero out one time in twenty."""
    worlds, users, each, least = 100, 30, 6, 0.93

    def model(label: Bool, user: np.ndarray, liking: Float64) -> list[Rated]:
        found = []
        for skill in rng.normal(1.0, 0.5, trainings):
            score = skill * (label - 0.5) + liking[user] + rng.normal(0.0, 0.5, len(label))
            found.append(rate(1 / (1 + np.exp(-score)), label, user))
        return found

    held = fixed = 0
    for _ in range(worlds):
        label, user = rng.random(users * each) < 0.5, np.repeat(np.arange(users), each)
        one, other = (model(label, user, rng.normal(0.0, 0.3, users)) for _ in range(2))
        held += not distances([one], other, draws=200)[0][0].clear
        fixed += not distances([one[:1]], other[:1], draws=200)[0][0].clear
    # Three standard errors of so many worlds.
    assert held / worlds > least - 3 * np.sqrt(least * (1 - least) / worlds)
    assert fixed / worlds < 0.85
