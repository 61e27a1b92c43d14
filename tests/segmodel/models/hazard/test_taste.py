"""Tastes: the posterior mode behind sums of evidence, and where it levels off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit

from segmodel.models.hazard.taste import levelled_off, posterior

Sums = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _sums(left: np.ndarray, hazard: np.ndarray, alike: np.ndarray) -> Sums:
    one, two, three = (torch.tensor(float(alike @ x)) for x in (left - hazard, hazard * (1 - hazard), hazard))
    return one, two, three


def _mode(left: np.ndarray, hazard: np.ndarray, alike: np.ndarray, prior: float) -> float:
    """Where the derivative of the log posterior is zero, by bisection over the segments themselves."""
    return float(brentq(lambda b: alike @ (left - expit(logit(hazard) + b)) - prior * b, -30, 30))


def test_one_step_by_hand() -> None:
    """Three segments of hazard .2, one left: (1 - .6) / (3 · .16 + .5)."""
    sums = _sums(np.array([1.0, 0.0, 0.0]), np.full(3, 0.2), np.ones(3))
    found = posterior(sums, torch.tensor(0.5), 1)
    assert float(found) == pytest.approx(0.4 / 0.98)


@given(
    st.floats(0.02, 0.6),
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0.3, 3.0),
)
def test_segments_that_were_expected_alike_have_the_exact_mode(h: float, n: int, share: float, prior: float) -> None:
    left = (np.arange(n) < share * n).astype(float)
    hazard, alike = np.full(n, h), np.linspace(0.2, 1.0, n)
    exact = _mode(left, hazard, alike, prior)
    assume(abs(exact) < 3.5)
    sums = _sums(left, hazard, alike)
    found = float(posterior(sums, torch.tensor(prior), 12))
    assert found == pytest.approx(exact, abs=1e-3)


def test_three_steps_are_near_the_mode_where_one_is_not() -> None:
    """Over tastes of both signs and hazards of all sizes, three steps are off by a tenth of what one is."""
    rng = np.random.default_rng(0)
    off: dict[int, list[float]] = {1: [], 3: []}
    for _ in range(200):
        n = int(rng.integers(5, 40))
        hazard = rng.uniform(0.05, 0.3, n)
        left = (rng.random(n) < expit(logit(hazard) + rng.normal(0, 1.2))).astype(float)
        alike = rng.uniform(0, 1, n)
        for steps, errors in off.items():
            found = posterior(_sums(left, hazard, alike), torch.tensor(0.7), steps)
            errors.append(abs(float(found) - _mode(left, hazard, alike, 0.7)))
    assert np.mean(off[3]) < 0.1 * np.mean(off[1])
    assert np.quantile(off[3], 0.95) < 0.15 < np.quantile(off[1], 0.95)


def test_no_evidence_is_no_taste_and_can_be_learned_through() -> None:
    nothing = torch.zeros(3, 4, requires_grad=True)
    found = posterior((nothing[0], nothing[1], nothing[2]), torch.full((4,), 0.7), 3)
    assert not found.any()
    found.sum().backward()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_a_taste_levels_off() -> None:
    taste = torch.tensor([-9.0, -0.1, 0.0, 0.1, 9.0])
    found = levelled_off(taste, torch.tensor(1.5))
    torch.testing.assert_close(found, torch.tensor([-1.5, -0.0999, 0.0, 0.0999, 1.5]), atol=1e-4, rtol=0)
