"""World: the processes that train one network together, as torchrun starts them.

All of them walk over the same log and learn the same statistics. Each computes its rows of every batch; gradients are
weighted by how many rows those are and added up, so that every process takes the step that one alone would take.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from segmodel.data.views import Rows

# Loaded where several processes train: models without networks do without.
if TYPE_CHECKING:
    from torch import Tensor, nn


class ProcessLost(ValueError):
    """Another process of a training has ended before its time."""


@dataclass(frozen=True)
class World:
    """This process among ``size``, of which that of rank 0 writes and speaks; by default it is alone."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether it writes files and speaks."""
        return self.rank == 0

    def rows(self, count: int) -> Rows:
        """Which of so many rows of a batch are this process's; one of another's where none is left."""
        return np.arange(min(self.rank, count - 1), count, self.size)

    def share(self, count: int) -> float:
        """What part of so many rows they are."""
        return len(range(self.rank, count, self.size)) / count

    def add_gradients(self, network: nn.Module) -> None:
        """Let every process have the sum of all gradients.

        Parameters without one have none anywhere, as where a store has no content.

        Raises
        ------
        ProcessLost
        """
        if self.size > 1:
            import torch

            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            flat = torch.cat([g.flatten() for g in gradients])
            self._add_up(flat)
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def total(self, *numbers: float) -> tuple[float, ...]:
        """The sums of numbers that all processes have.

        Raises
        ------
        ProcessLost
        """
        if self.size == 1:
            return numbers
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        values = torch.tensor(numbers, dtype=torch.float64, device=device)
        self._add_up(values)
        return tuple(values.tolist())

    def told(self, word: str) -> str:
        """What the leading process says.

        Raises
        ------
        ProcessLost
        """
        if self.size == 1:
            return word
        import torch.distributed as dist

        words = [word]
        with _all_here():
            dist.broadcast_object_list(words)
        return words[0]

    def _add_up(self, values: Tensor) -> None:
        import torch.distributed as dist

        with _all_here():
            dist.all_reduce(values)


ALONE = World()


@contextmanager
def _all_here() -> Iterator[None]:
    """What fails inside fails since another process is gone."""
    try:
        yield
    except RuntimeError as error:
        _lose(error)


def _lose(error: BaseException | None = None) -> NoReturn:
    # Once is enough: torchrun ends the other processes of a training that has lost one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise ProcessLost("another process of this training has ended, or all were told to end") from error


@contextmanager
def joined_world(device: str) -> Iterator[tuple[World, str]]:
    """The processes that torchrun started beside this one, and this one's device; without torchrun it is alone.

    ``cuda`` becomes the GPU of this process's number on its machine; gradients then travel by NCCL, else by Gloo.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE, device
        return
    import torch
    import torch.distributed as dist

    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    before = signal.signal(signal.SIGTERM, lambda number, frame: _lose())
    try:
        yield World(dist.get_rank(), size), device
        # Nobody leaves while another still reads.
        with _all_here():
            dist.barrier()
    finally:
        signal.signal(signal.SIGTERM, before)
        dist.destroy_process_group()
