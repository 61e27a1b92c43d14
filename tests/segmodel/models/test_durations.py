"""The references that know the length: by hand, and against the same numbers found another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split
from segmodel.evaluation.metrics import exit_nll
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.models.durations import compose

MakeLog = Callable[..., Interactions]
NAMES = ("duration-position", "duration-user-position")


def fit(name: str, data: Dataset) -> SegmentModel:
    model = make_model(name)
    everything = np.arange(len(data))
    model.fit(data, Split(everything, everything[:0], everything[:0]), FitRun())
    return model


@pytest.fixture
def data(make_log: MakeLog) -> Dataset:
    """Two-segment videos: a leaves in 0, 0 and 1; b completes three times. One-segment ones: b leaves one of two."""
    return make_dataset(
        make_log(
            ("a", "v", 1, 1_000, 10_000),
            ("a", "v", 2, 1_000, 10_000),
            ("a", "v", 3, 9_000, 10_000),
            *(("b", "v", t, 10_000, 10_000) for t in range(3)),
            ("b", "w", 8, 1_000, 4_000),
            ("b", "w", 9, 4_000, 4_000),
        )
    )


def test_compose_by_hand() -> None:
    skip = np.array([[4.0, 1.0, 5.0]] * 3)
    slots = compose(skip, np.array([0.5, 0.0, 1.0]), np.array([2, 3, 1]))
    np.testing.assert_allclose(slots, [[0.4, 0.1, 0.5, 0], [0.4, 0.1, 0.5, 0], [0, 1, 0, 0]])


def test_duration_position_by_hand(data: Dataset, make_log: MakeLog) -> None:
    """Four skips, three in slot 0 and one in slot 1, half a view in each of 40; 4 of 8 completed, worth ten views."""
    new = make_dataset(make_log(*((f"n{i}", "x", i, 1, ms) for i, ms in enumerate((10_000, 4_000, 15_000)))))
    found = fit("duration-position", data).predict(new)
    two, one, unseen = (3 + 5) / 16, (1 + 5) / 12, 0.5
    np.testing.assert_allclose(found.completion, [two, one, unseen])
    np.testing.assert_allclose(found.slots[0, :2], (1 - two) * np.array([3.5, 1.5]) / 5)
    np.testing.assert_allclose(found.slots[1, :1], 1 - one)
    np.testing.assert_allclose(found.slots[2, :3], (1 - unseen) * np.array([3.5, 1.5, 0.5]) / 5.5)
    assert found.knows_length


def test_duration_user_position_by_hand(data: Dataset, make_log: MakeLog) -> None:
    """A user's skips weigh against 20 of everybody's; the offset is the mode of its posterior."""
    model = fit("duration-user-position", data)
    new = make_dataset(make_log(("a", "x", 1, 1, 10_000), ("b", "x", 1, 1, 10_000), ("new", "x", 1, 1, 10_000)))
    found = model.predict(new)
    everybody = np.full(40, 0.5)
    everybody[:2] = [3.5, 1.5]
    everybody /= everybody.sum()
    skips = {"a": np.array([2, 1]), "b": np.array([1, 0]), "new": np.array([0, 0])}
    # (views, completed) by N for each user
    seen = {"a": [(0.5, 3, 0)], "b": [(0.5, 3, 3), (0.5, 2, 1)], "new": []}
    for i, user in enumerate(("a", "b", "new")):

        def loss(offset: float, user: str = user) -> float:
            likelihood = sum(
                done * np.log(expit(logit(p) + offset)) + (n - done) * np.log(expit(-logit(p) - offset))
                for p, n, done in seen[user]
            )
            return -likelihood + offset**2 / (2 * 0.5)

        wanted = expit(minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x)
        assert found.completion[i] == pytest.approx(wanted, abs=1e-6)
        own = skips[user] + 20 * everybody[:2]
        np.testing.assert_allclose(found.slots[i, :2], (1 - wanted) * own / own.sum(), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_predicts_the_same(name: str, data: Dataset) -> None:
    model = fit(name, data)
    copy = make_model(name, model.settings())
    copy.restore(*model.state())
    np.testing.assert_array_equal(copy.predict(data).slots, model.predict(data).slots)
    facts, arrays = model.state()
    arrays.pop("completion")
    with pytest.raises(ValueError, match="the model file lacks completion"):
        copy.restore(facts, arrays)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("watch_ms", [1, 20_000])
def test_logs_of_skips_alone_or_completions_alone(name: str, watch_ms: int, make_log: MakeLog) -> None:
    data = make_dataset(make_log(*((f"u{i % 3}", "v", i, watch_ms, 20_000) for i in range(12))))
    found = fit(name, data).predict(data)
    assert np.isfinite(found.slots).all()
    np.testing.assert_allclose(found.slots.sum(axis=1), 1.0)
    assert exit_nll(found.slots, data.views.exit).mean() < 0.2


def test_users_with_habits_are_told_apart(make_log: MakeLog, rng: np.random.Generator) -> None:
    """Where users differ, knowing the user pays on views to come; where they do not, it costs next to nothing."""
    for differ in (True, False):
        rows = []
        for i in range(3_000):
            patience = (i % 20) / 20 if differ else 0.5
            watch = 30_000 if rng.random() < patience else 1 + int(rng.integers(0, 29_000))
            rows.append((f"u{i % 20}", "v", i, watch, 30_000))
        data = make_dataset(make_log(*rows))
        new = data.views.time_ms >= 2_000
        old = np.flatnonzero(~new)
        nll = []
        for name in NAMES:
            model = make_model(name)
            model.fit(data, Split(old, old[:0], old[:0]), FitRun())
            test = data.take(np.flatnonzero(new))
            nll.append(exit_nll(model.predict(test).slots, test.views.exit).mean())
        assert (nll[0] - nll[1] > 0.1) if differ else (abs(nll[0] - nll[1]) < 0.03)
