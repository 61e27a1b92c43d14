"""The training loop that all networks share: AdamW, gradient clipping, early stopping, checkpoints to resume from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from segfeat.whole import whole_file
from segmodel.models.base import FitRun

CHECKPOINT = "last.pt"


class OnDevice(Protocol):
    """A batch that can be moved."""

    def to(self, device: str | torch.device) -> Any:
        """The same batch on a device."""


B = TypeVar("B", bound=OnDevice)


@dataclass(frozen=True)
class Schedule:
    """How a network is optimised.

    With ``early_stopping``, the first epoch that ends ``patience_updates`` or more updates after the best one is the
    last, and the best epoch's weights are kept; without it all epochs run and the last weights are kept. It counts
    updates because an epoch of a small log, or of large batches, is few of them. With ``steps_per_epoch`` the learning
    rate warms up over the first tenth and falls along a cosine to zero. A parameter's attribute ``pace`` multiplies it.
    """

    epochs: int = 100
    batch_views: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    clip_norm: float = 10.0
    patience_updates: int = 500
    early_stopping: bool = True
    steps_per_epoch: int | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Small matrices lose more to waiting for each other's threads than they gain, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_network(
    network: nn.Module,
    batches: Callable[[np.random.Generator], Iterable[B]],
    loss: Callable[[B], Tensor],
    validate: Callable[[], float],
    schedule: Schedule,
    run: FitRun,
    metric: str = "validation",
) -> None:
    """Train ``network`` in place and leave the weights of its best epoch in it.

    Every epoch draws its order and dropout from (seed, epoch) alone, so that a run resumed from ``run.folder`` ends
    with the weights of an uninterrupted one. Where several processes train together, losses must be weighted by their
    share of a batch: gradients are added up.

    Parameters
    ----------
    network : nn.Module
        On ``run.device`` already.
    batches : callable
        Generator -> the epoch's batches.
    loss : callable
        Batch on the device -> scalar to minimise.
    validate : callable
        Score of the network as it stands; higher is better.
    schedule : Schedule
    run : FitRun
    metric : str
        Name of the validation score in the reports.

    Raises
    ------
    ValueError
        If the loss stops being finite, or the checkpoint is an earlier release's.
    """
    optimizer = torch.optim.AdamW(_groups(network, schedule))
    epochs = run.epochs or schedule.epochs
    # Half precision only on hardware that has it; float32 keeps CPU runs exact.
    autocast = torch.autocast("cuda", torch.bfloat16, enabled=run.device.startswith("cuda"))
    best: dict[str, Any] = {"score": -float("inf"), "epoch": -1, "updates": 0, "weights": _weights(network)}
    first = updates = 0
    checkpoint = run.folder / CHECKPOINT if run.folder else None
    if checkpoint and checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if "updates" not in saved or any("pace" not in group for group in saved["optimizer"]["param_groups"]):
            raise ValueError(f"{checkpoint}: of an earlier release, whose training counted otherwise; start a new run")
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        best, first, updates = saved["best"], saved["epoch"] + 1, saved["updates"]
    for epoch in range(first, epochs):
        if schedule.early_stopping and updates - best["updates"] >= schedule.patience_updates:
            break
        began = time.perf_counter()
        # Each process drops other units of its rows.
        torch.manual_seed(run.seed * 100_003 + epoch + run.world.rank * 1_000_000_007)
        network.train()
        losses = []
        for step, batch in enumerate(batches(np.random.default_rng([run.seed, epoch]))):
            if schedule.steps_per_epoch:
                done = (epoch + (step + 1) / schedule.steps_per_epoch) / epochs
                rate = schedule.learning_rate * min(1.0, done / 0.1) * 0.5 * (1 + math.cos(math.pi * done))
                for group in optimizer.param_groups:
                    group["lr"] = rate * group["pace"]
            with autocast:
                value = loss(batch.to(run.device))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            run.world.add_gradients(network)
            nn.utils.clip_grad_norm_(network.parameters(), schedule.clip_norm)
            optimizer.step()
            losses.append(value.detach())
        updates += len(losses)
        (mean_loss,) = run.world.total(float(torch.stack(losses).mean()))
        if not np.isfinite(mean_loss):
            raise ValueError(
                f"the training loss of epoch {epoch} is {mean_loss}; lower learning_rate, or check the features"
            )
        network.eval()
        score = validate()
        if score > best["score"] or not schedule.early_stopping:
            best = {"score": score, "epoch": epoch, "updates": updates, "weights": _weights(network)}
        if checkpoint and run.world.leads:
            _save(
                checkpoint,
                {
                    "network": _weights(network),
                    "optimizer": optimizer.state_dict(),
                    "best": best,
                    "epoch": epoch,
                    "updates": updates,
                },
            )
        run.report(
            {
                "epoch": epoch,
                "loss": mean_loss,
                metric: score,
                "best": best["score"],
                "epoch_s": time.perf_counter() - began,
            }
        )
    network.load_state_dict(best["weights"])
    network.eval()


def _groups(network: nn.Module, schedule: Schedule) -> list[dict[str, Any]]:
    """By pace; decay for matrices only: shrinking biases and norms towards zero has no meaning."""
    by_kind: dict[tuple[float, float], list[nn.Parameter]] = {}
    for p in network.parameters():
        if p.requires_grad:
            decay = schedule.weight_decay if p.dim() > 1 else 0.0
            by_kind.setdefault((getattr(p, "pace", 1.0), decay), []).append(p)
    rate = schedule.learning_rate
    return [
        {"params": ps, "lr": rate * pace, "weight_decay": decay, "pace": pace} for (pace, decay), ps in by_kind.items()
    ]


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}


def _save(path: Path, content: dict[str, Any]) -> None:
    with whole_file(path) as temporary:
        torch.save(content, temporary)
