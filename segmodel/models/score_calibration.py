"""Probabilities for models that only rank: a softmax with two fitted numbers."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from segfeat.types import Float64
from segmodel.survival import Array


def slots_from_scores(scores: Array, segments: Array, a: float, c: float) -> Float64:
    """Softmax over the N + 1 slots of -a · score + c · [slot = N].

    Parameters
    ----------
    scores : float (B, S + 1)
        The N segments and the end slot in column N; higher = stays.
    segments : int (B,)
    a, c : float

    Returns
    -------
    float64 (B, S + 1)
        Rows sum to 1; 0 beyond slot N.
    """
    slots: Float64 = np.exp(log_softmax(_logits(scores, segments, a, c), axis=1))
    return slots


def fit_scores(scores: Array, segments: Array, exit_: Array) -> tuple[float, float]:
    """The a and c that minimise the negative log-likelihood of the true exits (B,)."""
    rows = np.arange(len(scores))

    def nll(parameters: Float64) -> float:
        logits = _logits(scores, segments, float(parameters[0]), float(parameters[1]))
        return -float(log_softmax(logits, axis=1)[rows, exit_].mean())

    found = minimize(nll, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    return float(found.x[0]), float(found.x[1])


def _logits(scores: Array, segments: Array, a: float, c: float) -> Float64:
    slot = np.arange(scores.shape[1])[None, :]
    end = np.asarray(segments)[:, None]
    logits = -a * scores.astype(np.float64) + c * (slot == end)
    return np.where(slot <= end, logits, -np.inf)
