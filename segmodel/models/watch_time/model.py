"""WatchTimeModel: fits, asks and saves any way of predicting watch time on the shared backbone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import MAX_SEGMENTS, Views
from segmodel.models.base import Arrays, FitRun, SegmentModel, arrays_under
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.network import HazardBatch
from segmodel.models.settings import Search
from segmodel.models.training import Schedule, one_thread, train_network
from segmodel.models.watch_time.backbone import LogInputs, Trunk, WatchBatch
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.watch_distribution import WatchDistribution

SECONDS, SHARE = "seconds", "share"


@dataclass(frozen=True)
class WatchTimeConfig:
    """Settings that all watch-time models share; what is read and how it is trained are the default model's."""

    search: ClassVar[Search] = {"target": (SHARE, SECONDS), "learning_rate": (2e-3, 1e-3, 4e-3)}

    target: str = SHARE
    """``seconds``, as the papers have it, or ``share`` of the video, whose end is then one place for all."""
    max_segments: int = MAX_SEGMENTS
    members: int = 3
    """Networks whose answers are averaged, as in the default model."""
    epochs: int = 12
    batch_views: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    width: int = 64
    dropout: float = 0.3
    folds: int = 10

    def __post_init__(self) -> None:
        if self.target not in (SECONDS, SHARE):
            raise ValueError(f"target {self.target!r}: valid are {SECONDS}, {SHARE}")


class WatchTimeModel(SegmentModel):
    """A network, what it minimises, and how its answer becomes a distribution of watch time.

    Watch time is min(watch, duration): a view that was watched longer counts as watched to the end. All epochs
    run, as in the default model, so that the learning rate comes down; the one with the least loss on validation views
    is kept.
    """

    Config = WatchTimeConfig
    config: WatchTimeConfig

    @abstractmethod
    def learn_scale(self, views: Views) -> Arrays:
        """What the answer is measured in, such as thresholds, from the training views; part of the saved model."""

    @abstractmethod
    def outputs(self) -> int:
        """Numbers that a network gives for a view."""

    @abstractmethod
    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        """What training minimises; ``output`` is (B, outputs) after :meth:`activate`."""

    @abstractmethod
    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        """Distribution and expected watch time in s of B views, from outputs (B, outputs)."""

    def activate(self, output: Tensor) -> Tensor:
        """Outputs of a network as they are averaged over members."""
        return output

    def settle(self, output: Float64, views: Views) -> Arrays:
        """What only validation views can tell, given the networks' outputs for them; joins :meth:`learn_scale`."""
        return {}

    def targets(self, views: Views) -> Float64:
        """What is learned of B watched views."""
        return views.picture_watch_s / self.unit_s(views)

    def groups(self, views: Views) -> np.ndarray:
        """Group of each view's duration (B,)."""
        return np.zeros(len(views), dtype=np.int64)

    def unit_s(self, views: Views) -> Float64:
        """Seconds that one unit of the target stands for, (B,)."""
        return views.picture_s if self.config.target == SHARE else np.ones(len(views))

    @one_thread()
    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        c = self.config
        self.log = LogInputs.learn(self._reading(), data, split, run.seed)
        train, valid = data.take(split.train), data.take(split.valid)
        self.scale = self.learn_scale(train.views)
        target, group = self.targets(train.views), self.groups(train.views)
        held = self._batch_of(valid) if len(valid) else None
        steps = -(-len(train) // c.batch_views)
        schedule = Schedule(
            c.epochs,
            c.batch_views,
            c.learning_rate,
            c.weight_decay,
            clip_norm=1.0,
            # Never before the schedule ends.
            patience_updates=steps * (c.epochs + 1),
            early_stopping=held is not None,
            steps_per_epoch=steps,
        )

        def batches(generator: np.random.Generator) -> Iterator[WatchBatch]:
            for rows, read in self.log.epoch(train, generator):
                yield WatchBatch(read, _float(target[rows]), torch.from_numpy(group[rows]))

        self.networks = []
        for member in range(c.members):
            seed = run.seed * 1009 + member
            torch.manual_seed(seed)
            network = self._make_network().to(run.device)
            folder = run.folder / f"member-{member}" if run.folder else None
            if folder:
                folder.mkdir(exist_ok=True)

            def report(record: Mapping[str, Any], member: int = member) -> None:
                run.report({**record, "epoch": member * (run.epochs or c.epochs) + record["epoch"], "member": member})

            def loss(batch: WatchBatch, network: Trunk = network) -> Tensor:
                return self.loss(self.activate(network(batch.read).float()), batch)

            @torch.no_grad()
            def validate(network: Trunk = network) -> float:
                return 0.0 if held is None else -float(loss(held.to(run.device), network))

            own = replace(run, seed=seed, folder=folder, report=report)
            train_network(network, batches, loss, validate, schedule, own, metric="valid_loss_negative")
            self.networks.append(network.cpu())
        output = self.log.ask_with(valid, self.log.training, self._outputs, self.outputs())
        self.scale = {**self.scale, **self.settle(output, valid.views)}

    @one_thread()
    def predict(self, data: Dataset) -> SkipPrediction:
        views = data.views
        watch, expected = self.answer(self.log.ask(data, self._outputs, self.outputs()), views)
        slots = watch.slots(views.segments, self.config.max_segments, views.segment_s)
        return from_slots(slots, views, watch=watch, expected_s=np.clip(expected, 0.0, views.picture_s))

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts, arrays = self.log.state()
        arrays |= {f"scale.{k}": v for k, v in self.scale.items()}
        for member, network in enumerate(self.networks):
            arrays |= {f"member_{member}.{k}": v.detach().cpu().numpy() for k, v in network.state_dict().items()}
        return facts, arrays

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.log = LogInputs.restored(self._reading(), facts, arrays)
        self.scale = arrays_under(arrays, "scale")
        self.networks = []
        for member in range(self.config.members):
            network = self._make_network()
            weights = arrays_under(arrays, f"member_{member}")
            network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
            self.networks.append(network.eval())

    def _reading(self) -> HazardConfig:
        c = self.config
        return HazardConfig(max_segments=c.max_segments, batch_views=c.batch_views, folds=c.folds)

    def _make_network(self) -> Trunk:
        return Trunk(self.log.widths(self.config.width, self.config.dropout), self.outputs())

    def _batch_of(self, data: Dataset) -> WatchBatch:
        """All views of ``data`` as one batch, from statistics of the training views."""
        inputs = self.log.statistics.inputs(data, self.log.training)
        read = self.log.batches.make(data, inputs, np.arange(len(data)))
        target, group = self.targets(data.views), self.groups(data.views)
        return WatchBatch(read, _float(target), torch.from_numpy(group))

    @torch.no_grad()
    def _outputs(self, batch: HazardBatch) -> Float64:
        found = [self.activate(network(batch).float()).numpy().astype(np.float64) for network in self.networks]
        return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def _float(values: Float64) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
