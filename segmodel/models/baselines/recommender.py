"""Recommender: fits, asks and saves any network that scores items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from segfeat.types import Float64
from segmodel.batch import CONTENT, Batch, Collator
from segmodel.calibration import fit_scores, slots_from_scores
from segmodel.dataset import Dataset
from segmodel.metrics import ndcg, paper_ranks
from segmodel.models.base import Arrays, FitRun, SegmentModel
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.items import Items, all_items, labelled_items
from segmodel.models.baselines.objectives import pairwise_loss, pointwise_loss
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.splits import Split
from segmodel.training import Schedule, one_thread, train_network
from segmodel.views import MAX_SEGMENTS
from segmodel.vocabulary import Vocabulary

_STRUCTURE = "structure."


@dataclass(frozen=True)
class RecommenderConfig:
    """Settings that all baselines share."""

    d: int = 64
    dropout: float = 0.1
    max_segments: int = MAX_SEGMENTS
    epochs: int = 100
    batch_views: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10


class ItemNetwork(nn.Module, ABC):
    """A network that scores items of a batch."""

    @abstractmethod
    def forward(self, batch: Batch, items: Items) -> Tensor:
        """Scores (T,); higher = stays."""

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        """What training minimises; binary cross-entropy unless a system has its own."""
        return pointwise_loss(self(batch, items).float(), label)


class RankingNetwork(ItemNetwork):
    """An :class:`ItemNetwork` trained to rank."""

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        """BPR inside each view."""
        return pairwise_loss(self(batch, items).float(), label, items, len(batch.user))


class Recommender(SegmentModel):
    """A published recommender as a model of exits: it ranks, and two fitted numbers turn its scores into probabilities.

    Subclasses say what their network is, and what it must know of the training views besides their batches.
    """

    Config = RecommenderConfig
    config: RecommenderConfig
    needs_content: ClassVar[bool] = False
    """Whether the system is nothing without content features."""

    @abstractmethod
    def make_network(self, sizes: Sizes, structure: Arrays) -> ItemNetwork:
        """The untrained network."""

    def learn_structure(self, data: Dataset, rows: np.ndarray) -> Arrays:
        """What the network is built on, such as a graph, from the training views ``rows``; part of the saved model."""
        return {}

    @one_thread()
    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        train = data.views.take(split.train)
        self.users = Vocabulary.of(train.user_ids, train.user)
        self.videos = Vocabulary.of(train.video_ids, train.video)
        self.dims = self._content_dims(data)
        self.structure = self.learn_structure(data, split.train)
        self._build(run.seed)
        self.device = run.device
        self.network.to(run.device)
        config, valid = self.config, data.take(split.valid)

        def loss(batch: Batch) -> Tensor:
            return self.network.loss(batch, *labelled_items(batch, config.max_segments))

        def validate() -> float:
            ranks = paper_ranks(-self._scores(valid), valid.views.segments, valid.views.exit)
            return float(np.nanmean(ndcg(ranks, 5)))

        train_network(
            self.network,
            lambda generator: self.collator.batches(data, split.train, config.batch_views, generator),
            loss,
            validate,
            Schedule(
                config.epochs,
                config.batch_views,
                config.learning_rate,
                config.weight_decay,
                patience=config.patience,
            ),
            run,
            metric="valid_ndcg@5",
        )
        self.a, self.c = fit_scores(self._scores(valid), valid.views.segments, valid.views.exit)

    def predict(self, data: Dataset) -> SkipPrediction:
        scores = self._scores(data)
        slots = slots_from_scores(scores, data.views.segments, self.a, self.c)
        return from_slots(slots, data.views, leave_score=-scores, interest=scores[:, :-1])

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts = {
            "users": list(self.users.ids),
            "videos": list(self.videos.ids),
            "dims": dict(self.dims),
            "a": self.a,
            "c": self.c,
        }
        weights = {k: v.detach().cpu().numpy() for k, v in self.network.state_dict().items()}
        return facts, {**weights, **{_STRUCTURE + k: v for k, v in self.structure.items()}}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.users, self.videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        self.dims = dict(facts["dims"])
        self.structure = {k.removeprefix(_STRUCTURE): v for k, v in arrays.items() if k.startswith(_STRUCTURE)}
        self._build(seed=0)
        weights = {k: torch.from_numpy(np.array(v)) for k, v in arrays.items() if not k.startswith(_STRUCTURE)}
        self.network.load_state_dict(weights)
        self.network.eval()
        self.a, self.c, self.device = float(facts["a"]), float(facts["c"]), "cpu"

    def _content_dims(self, data: Dataset) -> dict[str, int]:
        if not self.needs_content:
            return {}
        here = data.store.encoders if data.store is not None else {}
        wanted = getattr(self.config, "modalities", CONTENT)
        found = {m: here[m].dim for m in CONTENT if m in wanted and m in here}
        if not found:
            raise ValueError(
                f"{type(self).__name__} learns from content, and the store has none of {', '.join(wanted)} "
                f"(it has {', '.join(here) or 'no features'})"
            )
        return found

    def _build(self, seed: int) -> None:
        self.collator = Collator(self.users, self.videos, tuple(self.dims))
        torch.manual_seed(seed)
        sizes = Sizes(len(self.users), len(self.videos), self.config.max_segments + 1, self.dims)
        self.network = self.make_network(sizes, self.structure)

    @one_thread()
    @torch.no_grad()
    def _scores(self, data: Dataset) -> Float64:
        """(B, max_segments + 1); 0 beyond the end slot."""
        self.network.eval()
        scores = np.zeros((len(data), self.config.max_segments + 1))
        at = 0
        for batch in self.collator.batches(data, np.arange(len(data)), self.config.batch_views):
            there = batch.to(self.device)
            items = all_items(there.segments)
            table = items.table(self.network(there, items).float(), len(batch.user), scores.shape[1])
            scores[at : at + len(batch.user)] = table.cpu().numpy()
            at += len(batch.user)
        return scores
