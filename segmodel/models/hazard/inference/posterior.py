"""Tastes from evidence, as :mod:`segmodel.models.hazard.taste` has them, of arrays."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from segfeat.types import Float32
from segmodel.models.hazard.design import LARGEST_STEP_FROM, LEAST_PRIOR


def taste_of(sums: tuple[Float32, Float32, Float32], prior: Float32, most: Float32 | None, steps: int) -> Float32:
    """:func:`segmodel.models.hazard.taste.taste_of`, where nobody learns."""
    taste = _posterior(sums, prior + np.float32(LEAST_PRIOR), steps)
    return taste if most is None else most * np.tanh(taste / most)


def _posterior(sums: tuple[Float32, Float32, Float32], prior: Float32, steps: int) -> Float32:
    surprise, weight, expected = sums
    b: Float32 = surprise / (weight + prior)
    q = np.clip(1 - weight / np.maximum(expected, np.float32(1e-6)), np.float32(1e-3), np.float32(1 - 1e-3))
    n, odds = expected / q, np.log(q / (1 - q))
    for _ in range(steps - 1):
        b = np.clip(b, -LARGEST_STEP_FROM, LARGEST_STEP_FROM)
        p = expit(odds + b)
        b = b + (surprise + expected - n * p - prior * b) / (n * p * (1 - p) + prior)
    return b
