"""RankingModel: fits, asks and saves any network that ranks the slots of a view."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from segfeat.types import Float64
from segmodel.data.batch import Batch, Collator
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import MAX_SEGMENTS
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.metrics import ndcg, paper_ranks
from segmodel.models.base import Arrays, FitRun, SegmentModel
from segmodel.models.score_calibration import fit_scores, slots_from_scores
from segmodel.models.settings import Search, one_of
from segmodel.models.training import Schedule, train_network
from segmodel.prediction import SkipPrediction, from_slots

_STRUCTURE = "structure."

END_SLOTS = ("own", "shared")
"""Where the end slot of a video of N segments lies: a place of its own, or that of a segment N."""


@dataclass(frozen=True)
class RankingConfig:
    """Settings that all networks which only rank share."""

    search: ClassVar[Search] = {
        "learning_rate": (3e-3, 1e-3, 1e-2),
        "d": (32, 64),
        "dropout": (0.1, 0.0, 0.3),
        "weight_decay": (1e-4, 1e-2, 1e-6),
        "batch_views": (256, 128, 512),
        "end_slot": END_SLOTS,
    }
    before: ClassVar[Mapping[str, Any]] = {"end_slot": "shared"}
    retired: ClassVar[tuple[str, ...]] = ("patience",)

    d: int = 64
    dropout: float = 0.1
    max_segments: int = MAX_SEGMENTS
    epochs: int = 400
    batch_views: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience_updates: int = 500
    """Updates without a better validation score that end the training."""
    end_slot: str = "own"
    """``own``: "completed" is a place of its own; ``shared``: it is the place of the segment N of a longer video."""

    def __post_init__(self) -> None:
        one_of("end_slot", self.end_slot, END_SLOTS)


class RankingModel(SegmentModel):
    """A network that scores the N segments and the end slot of a view; higher = stays.

    The epoch with the best NDCG@5 on validation views is kept, and two numbers fitted on them turn scores into
    probabilities. Subclasses say what the network is and what it minimises.
    """

    Config = RankingConfig
    config: RankingConfig

    @abstractmethod
    def content_dims(self, data: Dataset) -> dict[str, int]:
        """Width of each content modality that the network is given."""

    @abstractmethod
    def build_network(self) -> nn.Module:
        """The untrained network, for ``self.users``, ``self.videos``, ``self.dims`` and ``self.structure``."""

    @abstractmethod
    def batch_loss(self, batch: Batch) -> Tensor:
        """What training minimises."""

    @abstractmethod
    def batch_scores(self, batch: Batch) -> Tensor:
        """(B, S + 1); slots beyond N are ignored."""

    def learn_structure(self, data: Dataset, rows: np.ndarray) -> Arrays:
        """What the network is built on, such as a graph, from the training views ``rows``; part of the saved model."""
        return {}

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        train = data.views.take(split.train)
        self.users = Vocabulary.of(train.user_ids, train.user)
        self.videos = Vocabulary.of(train.video_ids, train.video)
        self.dims = self.content_dims(data)
        self.structure = self.learn_structure(data, split.train)
        self._build(run.seed)
        self.device = run.device
        self.network.to(run.device)
        c, valid = self.config, data.take(split.valid)

        def validate() -> float:
            ranks = paper_ranks(-self._scores(valid), valid.views.segments, valid.views.exit)
            return float(np.nanmean(ndcg(ranks, 5)))

        train_network(
            self.network,
            lambda generator: self.collator.batches(data, split.train, c.batch_views, generator),
            self.batch_loss,
            validate,
            Schedule(c.epochs, c.batch_views, c.learning_rate, c.weight_decay, patience_updates=c.patience_updates),
            run,
            metric="valid_ndcg@5",
        )
        self.a, self.c = fit_scores(self._scores(valid), valid.views.segments, valid.views.exit)

    def to(self, device: str) -> None:
        self.device = device
        self.network.to(device)

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

    def _build(self, seed: int) -> None:
        self.collator = Collator(self.users, self.videos, tuple(self.dims))
        torch.manual_seed(seed)
        self.network = self.build_network()

    @torch.no_grad()
    def _scores(self, data: Dataset) -> Float64:
        """(B, max_segments + 1); 0 beyond the end slot."""
        self.network.eval()
        scores = np.zeros((len(data), self.config.max_segments + 1))
        at = 0
        for batch in self.collator.batches(data, np.arange(len(data)), self.config.batch_views):
            part = self.batch_scores(batch.to(self.device)).float().cpu().numpy()
            scores[at : at + len(part), : part.shape[1]] = part
            at += len(part)
        scores[np.arange(scores.shape[1])[None, :] > data.views.segments[:, None]] = 0.0
        return scores
