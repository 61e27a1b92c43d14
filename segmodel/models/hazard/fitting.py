"""Fitting: how one network of the default model is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmodel.data.dataset import Dataset, by_users
from segmodel.data.parts import Parts
from segmodel.data.views import PART_VIEWS, Rows
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.base import FitRun
from segmodel.models.hazard.averaging import mean_hazard
from segmodel.models.hazard.batches import Batches
from segmodel.models.hazard.design import Widths
from segmodel.models.hazard.features import Moments, Scaler
from segmodel.models.hazard.items import SumsByTime
from segmodel.models.hazard.network import HazardBatch, HazardNetwork
from segmodel.models.hazard.statistics import SAMPLE_VIEWS, Statistics, rows_seen
from segmodel.models.hazard.tables import Tables
from segmodel.models.losses import hazard_loss
from segmodel.models.training import Schedule, one_thread, train_network
from segmodel.models.world import World
from segmodel.prediction import from_hazard

EPOCH_VIEWS, VALID_VIEWS = 4_000_000, 250_000
"""Most views of an epoch, and after how many its validation ends (whole parts): networks need no more, and statistics,
which do, have all. Each epoch of a larger log takes other views, as each takes the log's parts in another order."""

TUNE_EPOCHS, TUNE_RATE = 2, 0.25
"""Of an update: passes, and the learning rate beside that of the first training."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What all members learn from.

    Attributes
    ----------
    train, valid : Parts
    statistics : Statistics
    tables : Tables
        Of the training views.
    timed : SumsByTime
        The same by time.
    batches : Batches
    """

    train: Parts
    valid: Parts
    statistics: Statistics
    tables: Tables
    timed: SumsByTime
    batches: Batches

    def train_member(self, member: int, widths: Widths, run: FitRun) -> HazardNetwork:
        """A network that differs from the other members in initial weights, order and simulated deployments."""
        c = self.batches.config
        torch.manual_seed(_seed(run, member))
        network = HazardNetwork(widths, self.batches.dims).to(run.device)
        self._train(network, member, c.epochs, c.learning_rate, run)
        return network

    def tune_member(self, network: HazardNetwork, member: int, run: FitRun) -> None:
        """Go on training a network, gently: few passes at a lower rate over views of which it has seen some."""
        c = self.batches.config
        network.to(run.device).train()
        self._train(network, member, TUNE_EPOCHS, TUNE_RATE * c.learning_rate, run)

    @one_thread()
    def _train(self, network: HazardNetwork, member: int, epochs: int, learning_rate: float, run: FitRun) -> None:
        c = self.batches.config
        folder = run.folder / f"member-{member}" if run.folder else None
        if folder:
            folder.mkdir(exist_ok=True)

        def loss(batch: HazardBatch) -> Tensor:
            return hazard_loss(network(batch).float(), batch.segments, batch.exit) * batch.share

        def report(record: Mapping[str, Any]) -> None:
            # One counter over the epochs of all members.
            epoch = member * (run.epochs or epochs) + record["epoch"]
            run.report({**record, "epoch": epoch, "member": member})

        schedule = Schedule(
            epochs,
            c.batch_views,
            learning_rate,
            c.weight_decay,
            c.clip_norm,
            early_stopping=False,
            steps_per_epoch=self._steps,
        )
        train_network(
            network,
            partial(self._epoch, run.world),
            loss,
            lambda: -self._valid_nll(network, run.world),
            schedule,
            replace(run, seed=_seed(run, member), folder=folder, report=report),
            metric="valid_log_likelihood",
        )

    @cached_property
    def _steps(self) -> int:
        """Batches of an epoch."""
        size = self.batches.config.batch_views
        return min(sum(-(-len(part) // size) for part in self.train.first(EPOCH_VIEWS)), -(-EPOCH_VIEWS // size))

    def _epoch(self, world: World, generator: np.random.Generator) -> Iterator[HazardBatch]:
        parts = self.train.shuffled(generator)
        batches = chain.from_iterable(self._batches(part, world, generator) for part in parts)
        return islice(batches, self._steps)

    def _batches(self, train: Dataset, world: World, generator: np.random.Generator) -> Iterator[HazardBatch]:
        """Of each batch the rows of this process; all draw the same random numbers."""
        c = self.batches.config
        inputs_of = self.statistics.deployed_inputs(
            train,
            self.tables,
            self.timed,
            generator,
            c.deployed_share,
            c.unknown_share,
            c.no_context_share,
        )
        order = generator.permutation(len(train))
        for start in range(0, len(order), c.batch_views):
            part = train.take(order[start : start + c.batch_views])
            batch = self.batches.make(part, inputs_of(part), world.rows(len(part)), generator)
            yield replace(batch, share=world.share(len(part)))

    def _valid_nll(self, network: HazardNetwork, world: World) -> float:
        nll, views = 0.0, 0
        for part in self.valid.first(VALID_VIEWS):
            sums = self._valid_sums(network, part, world)
            nll, views = nll + sums[0], views + sums[1]
        total, count = world.total(nll, views)
        return total / count

    def _valid_sums(self, network: HazardNetwork, valid: Dataset, world: World) -> tuple[float, int]:
        """Summed over the users of this process, and how many views they have."""
        if world.size > 1:
            valid = valid.take(np.flatnonzero(valid.views.user % world.size == world.rank))
        nll = np.empty(len(valid))
        for rows, part in by_users(valid, PART_VIEWS):
            hazard = mean_hazard([network], self.batches, part, self.statistics.inputs(part, self.tables))
            nll[rows] = exit_nll(from_hazard(hazard, part.views).slots, part.views.exit)
        return float(nll.sum()), len(nll)


def _seed(run: FitRun, member: int) -> int:
    return run.seed * 1009 + member


def make_scalers(train: Parts, statistics: Statistics, tables: Tables) -> list[Scaler]:
    """Scalers of the training views' own numbers, their users' and their histories' tokens.

    Of several parts, of the first that have :data:`SAMPLE_VIEWS` views together.
    """
    own, token = Moments(), Moments()

    def look(part: Dataset) -> None:
        past = statistics.past(part, tables)
        for rows in _row_parts(len(part)):
            inputs = statistics.inputs(part.take(rows), tables, own_fold=True, past=past)
            own.add(np.concatenate([inputs.view, inputs.user], axis=1))
        seen = np.flatnonzero(rows_seen(part))
        for rows in _row_parts(len(seen)):
            token.add(past.token[seen[rows]])

    for part in train.first(SAMPLE_VIEWS):
        look(part)
    width, numbers = statistics.view_width, own.scaler()
    return [numbers.columns(slice(width)), numbers.columns(slice(width, None)), token.scaler()]


def _row_parts(count: int) -> list[Rows]:
    """The numbers up to ``count``, in parts of at most as many as are scored at a time."""
    return np.array_split(np.arange(count), range(PART_VIEWS, count, PART_VIEWS))
