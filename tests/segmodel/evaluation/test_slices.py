"""A slice that behaves differently is found, chance marks none more often than is said, and small ones are left out."""

from __future__ import annotations

import numpy as np
import pytest

from segmodel.evaluation.slices import Slice, slice_table


def world(rng: np.random.Generator, users: int = 80, views: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User, and two models' NLL of every view: users differ, and so do views, in what is hard for both."""
    user = np.repeat(np.arange(users), views)
    hard = rng.normal(size=users)[user] + rng.normal(size=len(user))
    return user, 1.5 + hard + rng.normal(0, 0.3, len(user)), 1.6 + hard + rng.normal(0, 0.3, len(user))


def test_a_planted_slice_is_the_worst_and_is_marked(rng: np.random.Generator) -> None:
    user, nll, reference = world(rng)
    here = rng.random(len(user)) < 0.2
    slices = [Slice("planted", "here", here)]
    slices += [Slice("random", str(i), rng.random(len(user)) < 0.3) for i in range(20)]
    found = slice_table(slices, nll + 0.15 * here, reference, user, "simple")
    assert (found.figures[0].source, found.figures[0].marked) == ("planted", True)
    assert found.figures[0].gap.mean == pytest.approx(0.15, abs=0.06)
    assert found.figures[0].gap.low > 0
    assert not any(f.marked for f in found.figures[1:])
    assert len(found.to_frame()) == 21


def test_a_slice_that_is_hard_for_everybody_is_not_marked(rng: np.random.Generator) -> None:
    user, nll, reference = world(rng)
    here = rng.random(len(user)) < 0.2
    found = slice_table([Slice("hard", "here", here)], nll + here, reference + here, user, "simple")
    assert found.figures[0].nll > 2
    assert not found.figures[0].marked


def test_chance_marks_a_table_about_as_seldom_as_is_said() -> None:
    false = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        user, nll, reference = world(rng, users=40, views=10)
        slices = [Slice("random", str(i), rng.random(len(user)) < 0.3) for i in range(10)]
        found = slice_table(slices, nll, reference, user, "simple", draws=300, seed=seed)
        false += any(f.marked for f in found.figures)
    # At a rate of .05 more than 8 of 60 are rarer than one in a hundred.
    assert false <= 8


def test_small_slices_and_rests_are_counted_not_shown(rng: np.random.Generator) -> None:
    user, nll, reference = world(rng, users=10)
    few, one = np.zeros(len(user), bool), user == 3
    few[:5] = True
    everything = np.ones(len(user), bool)
    slices = [Slice("s", "few", few), Slice("s", "one user", one), Slice("s", "all", everything)]
    found = slice_table(slices, nll, reference, user, "simple")
    assert (found.figures, found.small) == ((), 3)
