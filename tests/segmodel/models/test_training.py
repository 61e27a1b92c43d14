"""The training loop: when it stops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segmodel.models.base import FitRun
from segmodel.models.training import Schedule, train_network


class _Batch:
    def to(self, device: object) -> _Batch:
        return self


def _epochs(updates_per_epoch: int, patience_updates: int, scores: list[float], most: int = 100) -> int:
    """How many epochs a training with these validation scores runs; the last score is repeated."""
    network, seen, given = nn.Linear(1, 1), [], iter(scores)

    def validate() -> float:
        return next(given, scores[-1])

    def loss(batch: _Batch) -> Tensor:
        return network(torch.ones(1, 1)).square().sum()

    def batches(generator: np.random.Generator) -> list[_Batch]:
        return [_Batch()] * updates_per_epoch

    schedule = Schedule(epochs=most, patience_updates=patience_updates)
    train_network(network, batches, loss, validate, schedule, FitRun(report=lambda r: seen.append(r["epoch"])))
    return len(seen)


@pytest.mark.parametrize(("updates_per_epoch", "epochs"), [(1, 13), (4, 6), (12, 4), (100, 4)])
def test_patience_is_counted_in_updates(updates_per_epoch: int, epochs: int) -> None:
    """The third epoch is the best; twelve updates after it, and no sooner, the training ends."""
    best_at = 3 if updates_per_epoch > 1 else 1
    scores = [0.1, 0.2, 0.3, 0.2] if updates_per_epoch > 1 else [0.3, 0.2]
    assert _epochs(updates_per_epoch, 12, scores) == epochs
    assert epochs == best_at + -(-12 // updates_per_epoch)


def test_a_slow_learner_is_waited_for() -> None:
    """Better only every tenth epoch of two updates: epochs of patience would have ended it, updates do not."""
    scores = [0.1 + 0.01 * (epoch // 10) for epoch in range(56)]
    assert _epochs(2, 25, scores) > 56
    assert _epochs(2, 25, scores, most=30) == 30


@pytest.mark.parametrize("steps_per_epoch", [None, 4])
def test_a_parameter_moves_at_its_own_pace(steps_per_epoch: int | None) -> None:
    """Adam's steps are as long as the learning rate, whatever the gradient."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slow, self.quick = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
            self.quick.pace = 5.0  # type: ignore[attr-defined]

    network = Two()
    schedule = Schedule(epochs=1, learning_rate=1e-3, early_stopping=False, steps_per_epoch=steps_per_epoch)
    train_network(
        network,
        lambda generator: [_Batch()] * 4,
        lambda batch: network.slow.sum() + network.quick.sum(),
        lambda: 0.0,
        schedule,
        FitRun(),
    )
    moved = [float((1 - p.detach()).mean()) for p in (network.slow, network.quick)]
    assert moved[0] > 1e-4
    assert moved[1] == pytest.approx(5 * moved[0], rel=1e-3)
