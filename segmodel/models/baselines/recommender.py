"""Recommender: a published recommender as a model of exits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from segfeat.types import Float64
from segmodel.data.batch import Batch
from segmodel.data.content import CONTENT
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.models.base import Arrays, FitRun
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.items import Items, all_items, labelled_items
from segmodel.models.baselines.objectives import pairwise_loss, pointwise_loss
from segmodel.models.ranking import RankingConfig, RankingModel
from segmodel.models.settings import Search, one_of
from segmodel.models.training import one_thread

END_AFTER_SKIP = ("unreached", "stayed")
"""What training takes the end slot of a view left earlier for: unknown, or a place where the user did not leave."""


@dataclass(frozen=True)
class RecommenderConfig(RankingConfig):
    """Settings that all recommenders share."""

    search: ClassVar[Search] = {**RankingConfig.search, "end_after_skip": END_AFTER_SKIP}
    before: ClassVar[Mapping[str, Any]] = {**RankingConfig.before, "end_after_skip": "stayed"}

    end_after_skip: str = "unreached"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("end_after_skip", self.end_after_skip, END_AFTER_SKIP)


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


class Recommender(RankingModel):
    """A recommender that scores the segments of a view and its end slot as items.

    Subclasses say what their network is, and what it must know of the training views besides their batches.
    """

    Config = RecommenderConfig
    config: RecommenderConfig
    network: ItemNetwork
    needs_content: ClassVar[bool] = False
    """Whether the system is nothing without content features."""

    @abstractmethod
    def make_network(self, sizes: Sizes, structure: Arrays) -> ItemNetwork:
        """The untrained network."""

    @one_thread()
    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        super().fit(data, split, run)

    def content_dims(self, data: Dataset) -> dict[str, int]:
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

    def build_network(self) -> ItemNetwork:
        sizes = Sizes(len(self.users), len(self.videos), self._end_place + int(self._own_end), self.dims)
        return self.make_network(sizes, self.structure)

    def batch_loss(self, batch: Batch) -> Tensor:
        stayed = self.config.end_after_skip == "stayed"
        items, label = labelled_items(batch, self.config.max_segments, stayed)
        return self.network.loss(batch, self._placed(items, batch), label)

    def batch_scores(self, batch: Batch) -> Tensor:
        items = self._placed(all_items(batch.segments), batch)
        return items.table(self.network(batch, items), len(batch.user), batch.mask.shape[1] + 1)

    @property
    def _own_end(self) -> bool:
        return self.config.end_slot == "own"

    @property
    def _end_place(self) -> int:
        """The place after those of all segments, and of the end slot of the longest video where that shares one."""
        return self.config.max_segments + 1

    def _placed(self, items: Items, batch: Batch) -> Items:
        return items.with_end_at(self._end_place, batch.segments) if self._own_end else items

    @one_thread()
    def _scores(self, data: Dataset) -> Float64:
        return super()._scores(data)
