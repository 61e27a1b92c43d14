"""Boosted trees on logs that leave some of their columns empty."""

from __future__ import annotations

import numpy as np

from segmodel.models import model_class


def test_a_column_of_which_nothing_is_known_says_nothing() -> None:
    """As in a first log, where no user has any earlier view that a statistic could count."""
    kind = model_class("gbdt-hazard")
    model = kind(kind.Config(trees=5))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    label = rows[:, 0] > 0
    empty = np.concatenate([rows, np.full((400, 1), np.nan)], axis=1)
    constant = np.concatenate([rows, np.zeros((400, 1))], axis=1)
    found = model._boost(empty, label, seed=1).predict_proba(empty)  # type: ignore[attr-defined]
    expected = model._boost(constant, label, seed=1).predict_proba(constant)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, expected)
    assert found[label, 1].mean() > found[~label, 1].mean() + 0.1
