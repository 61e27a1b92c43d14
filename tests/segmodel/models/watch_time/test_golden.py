"""The defining part of each method, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segmodel.models.watch_time.cqe import expected_of_quantiles, pinball_loss
from segmodel.models.watch_time.cread import adaptive_levels, cread_loss, restored
from segmodel.models.watch_time.d2q import LEVELS, group_quantiles, ranks
from segmodel.models.watch_time.thresholds import distribution_of, inner_thresholds
from segmodel.models.watch_time.tpm import leaf_log_probabilities, tpm_loss, tree_paths
from segmodel.models.watch_time.wlr import weighted_logistic_loss


def test_wlr_s_odds_are_the_mean_watch_time() -> None:
    watch = torch.tensor([1.0, 4.0, 13.0], dtype=torch.float64)
    z = torch.tensor(np.log(6.0), dtype=torch.float64, requires_grad=True)
    loss = weighted_logistic_loss(z.expand(3), watch)
    loss.backward()
    # ln 7 + E[T] (ln 7 - ln 6) at the minimum, where the slope is zero.
    assert loss.item() == pytest.approx(np.log(7) + 6 * np.log(7 / 6))
    assert z.grad is not None
    assert z.grad.item() == pytest.approx(0.0, abs=1e-12)


def test_d2q_ranks_inside_a_group_of_like_duration() -> None:
    watch, group = np.array([2.0, 4.0, 6.0, 8.0, 30.0, 10.0]), np.array([0, 0, 0, 0, 1, 1])
    table = group_quantiles(watch, group, 2)
    assert table.shape == (2, len(LEVELS))
    # Four views stand at 1/8, 3/8, 5/8 and 7/8 of their group, two at 1/4 and 3/4.
    np.testing.assert_allclose(np.interp([1 / 8, 3 / 8, 0.5, 7 / 8], LEVELS, table[0]), [2, 4, 5, 8])
    np.testing.assert_allclose(np.interp([0.25, 0.5, 0.75], LEVELS, table[1]), [10, 20, 30])
    np.testing.assert_allclose(ranks(np.array([4.0, 5.0]), table[0]), [3 / 8, 0.5], atol=1e-9)
    # Half of the views of a group completed alike: they share the middle of their levels.
    same = group_quantiles(np.array([1.0, 2.0, 9.0, 9.0]), np.zeros(4, int), 1)[0]
    assert ranks(np.array([9.0]), same)[0] == pytest.approx((0.625 + 1.0) / 2, abs=0.005)


def test_tpm_s_tree_by_hand() -> None:
    paths = tree_paths(4)
    np.testing.assert_array_equal(paths, [[-1, -1, 0], [-1, 1, 0], [1, 0, -1], [1, 0, 1]])
    logits = torch.tensor([[0.0, np.log(3.0), -np.log(4.0)]], dtype=torch.float64)
    p = leaf_log_probabilities(logits, torch.from_numpy(paths)).exp().numpy()
    np.testing.assert_allclose(p, [[0.5 * 0.25, 0.5 * 0.75, 0.5 * 0.8, 0.5 * 0.2]])
    assert np.abs(tree_paths(7)).sum(axis=1).max() == 3
    scale = {
        "paths": paths,
        "thresholds": np.array([1.0, 2.0, 3.0]),
        "leaf_mean": np.array([0.5, 1.5, 2.5, 4.0]),
        "variance": np.array([2.0]),
    }
    mean = float(p[0] @ scale["leaf_mean"])
    variance = float(p[0] @ scale["leaf_mean"] ** 2) - mean**2
    wanted = -np.log(0.4) + (0.3 * variance + 0.7 * (2.2 - mean) ** 2) / 2.0
    found = tpm_loss(logits, torch.tensor([2.2], dtype=torch.float64), scale, 0.3, 0.7)
    assert found.item() == pytest.approx(wanted)
    # A watch time at a threshold lies in the upper leaf.
    at = tpm_loss(logits, torch.tensor([3.0], dtype=torch.float64), scale, 0.0, 0.0)
    assert at.item() == pytest.approx(-np.log(0.1))


def test_cread_s_thresholds_and_restoration_by_hand() -> None:
    np.testing.assert_allclose(adaptive_levels(4, 1e-9), [0.25, 0.5, 0.75, 1.0], atol=1e-8)
    np.testing.assert_allclose(adaptive_levels(2, 2.0), [(1 - np.exp(-1)) / (1 - np.exp(-2)), 1.0])
    watch = np.arange(1, 101) / 100
    np.testing.assert_allclose(inner_thresholds(watch, np.array([0.5, 1.0]), share=True), [0.505, 1.0])
    # 1 · .9 + 2 · .5 + 3 · .1
    thresholds = torch.tensor([1.0, 3.0, 6.0], dtype=torch.float64)
    phi = torch.tensor([[0.9, 0.5, 0.6]], dtype=torch.float64)
    assert restored(phi, thresholds).item() == pytest.approx(0.9 + 1.0 + 1.8)
    scale = {"thresholds": thresholds.numpy(), "deviation": np.array([2.0])}
    found = cread_loss(torch.logit(phi), torch.tensor([3.0], dtype=torch.float64), scale, 10.0, 100.0)
    entropy = -(np.log(0.9) + np.log(0.5) + np.log(0.4)) / 3
    huber = 0.5 * ((3.7 - 3.0) / 2) ** 2
    assert found.item() == pytest.approx(entropy + 10 * huber + 100 * 0.1)


def test_thresholds_make_a_distribution_that_ends_with_the_video() -> None:
    view = distribution_of(np.array([2.0, 4.0, 20.0]), np.array([[0.8, 0.5, 0.6]]), np.ones(1), np.array([12.0]))
    np.testing.assert_allclose([view.before(np.array([t]))[0] for t in (1.0, 2.0, 3.0, 12.0)], [0.1, 0.2, 0.35, 0.5])
    assert view.completion == pytest.approx(0.5)


def test_cqe_s_pinball_loss_and_expectation_by_hand() -> None:
    quantiles = torch.tensor([[1.0, 4.0, 5.0]], dtype=torch.float64)
    # Levels 1/4, 2/4, 3/4; a watch time of 3 lies 2 above the first, 1 and 2 below the others.
    wanted = (0.25 * 2 + 0.5 * 1 + 0.25 * 2) / 3
    assert pinball_loss(quantiles, torch.tensor([3.0], dtype=torch.float64)).item() == pytest.approx(wanted)
    # Flat at 1 up to 1/4, then 2.5, 4.5, then flat at 5, a quarter each.
    assert expected_of_quantiles(quantiles.numpy())[0] == pytest.approx((1 + 2.5 + 4.5 + 5) / 4)


def test_the_true_quantiles_have_the_least_pinball_loss() -> None:
    rng = np.random.default_rng(0)
    watch = torch.from_numpy(rng.exponential(5.0, 20_000))
    truth = -5.0 * np.log1p(-np.arange(1, 10) / 10)

    def loss(values: np.ndarray) -> float:
        return pinball_loss(torch.from_numpy(values)[None].expand(len(watch), -1), watch).item()

    assert all(loss(truth) < loss(truth * factor) for factor in (0.7, 0.9, 1.1, 1.4))
