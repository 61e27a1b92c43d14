"""The paper's model: hybrid representation -> user–video encoder -> segment interest decoder, trained to rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segfeat.types import Float64
from segmodel.batch import CONTENT, Batch, Collator
from segmodel.calibration import fit_scores, slots_from_scores
from segmodel.dataset import HISTORY_SEGMENTS, Dataset
from segmodel.losses import intra_video_loss, watched_loss
from segmodel.metrics import ndcg, paper_ranks
from segmodel.models.base import Arrays, FitRun, SegmentModel
from segmodel.models.paper.decoder import SegmentInterestDecoder
from segmodel.models.paper.encoder import UserVideoEncoder
from segmodel.models.paper.representation import ContentRepresentation, IdRepresentation
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.splits import Split
from segmodel.training import Schedule, train_network
from segmodel.views import MAX_SEGMENTS
from segmodel.vocabulary import Vocabulary

LOSSES = ("intra-video", "bce")


@dataclass(frozen=True)
class PaperConfig:
    """Settings of the paper's model and its ablations."""

    modalities: tuple[str, ...] = ("id", *CONTENT)
    """Those of them that the store has are used."""
    d: int = 64
    layers: int = 2
    heads: int = 4
    fusion_heads: int = 2
    dropout: float = 0.1
    max_segments: int = MAX_SEGMENTS
    attention: bool = True
    """False: the encoder is left out and the representation goes straight to the decoder."""
    position: bool = True
    """False: no position embeddings and no position bias."""
    loss: str = "intra-video"
    epochs: int = 100
    batch_views: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10

    def __post_init__(self) -> None:
        unknown = [m for m in self.modalities if m not in ("id", *CONTENT)]
        if unknown or not self.modalities:
            raise ValueError(f"modalities {','.join(self.modalities)!r}: valid are {', '.join(('id', *CONTENT))}")
        if self.loss not in LOSSES:
            raise ValueError(f"unknown loss {self.loss!r}; valid are {', '.join(LOSSES)}")
        if self.d % (2 * self.heads) or self.d % self.fusion_heads:
            raise ValueError(f"d = {self.d} must be a multiple of 2 · heads = {2 * self.heads} and of fusion_heads")


class PaperNetwork(nn.Module):
    """Interest p of the N segments and the end slot of each view."""

    def __init__(self, config: PaperConfig, users: int, videos: int, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        slots = config.max_segments + 1
        self.representation = nn.ModuleDict()
        if "id" in config.modalities:
            self.representation["id"] = IdRepresentation(users, videos, slots, config.d)
        for modality, dim in dims.items():
            self.representation[modality] = ContentRepresentation(dim, slots, HISTORY_SEGMENTS, config.d)
        if config.attention:
            self.encoder = nn.ModuleDict(
                {
                    m: UserVideoEncoder(config.d, config.heads, config.layers, config.dropout)
                    for m in self.representation
                }
            )
        self.decoder = SegmentInterestDecoder(len(self.representation), config.d, config.fusion_heads, slots)

    def forward(self, batch: Batch) -> Tensor:
        """(B, S + 1): higher = stays; slots beyond N are padding."""
        slots = batch.mask.shape[1] + 1
        slot_mask = torch.arange(slots, device=batch.segments.device)[None, :] <= batch.segments[:, None]
        latent = []
        for modality, represent in self.representation.items():
            if modality == "id":
                user, user_mask, video = represent(batch, slots, self.config.position)
            else:
                user, user_mask, video = represent(batch, modality, slots, self.config.position)
            if self.config.attention:
                video = self.encoder[modality](user, user_mask, video, slot_mask)
            latent.append(video)
        interest: Tensor = self.decoder(latent, self.config.position)
        return interest


class PaperModel(SegmentModel):
    """He et al. 2025, faithful to the text; it ranks, and two fitted numbers turn its ranks into probabilities."""

    Config = PaperConfig
    config: PaperConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        train = data.views.take(split.train)
        here = data.store.encoders if data.store is not None else {}
        dims = {m: here[m].dim for m in CONTENT if m in self.config.modalities and m in here}
        if not dims and "id" not in self.config.modalities:
            raise ValueError(f"the store has none of the modalities {', '.join(self.config.modalities)}")
        self._build(
            Vocabulary.of(train.user_ids, train.user), Vocabulary.of(train.video_ids, train.video), dims, run.seed
        )
        self.device = run.device
        self.network.to(run.device)
        size, limit = self.config.batch_views, self.config.max_segments
        valid = data.take(split.valid)

        def loss(batch: Batch) -> Tensor:
            score = self.network(batch).float()
            if self.config.loss == "bce":
                return watched_loss(score, batch.segments, batch.exit)
            return intra_video_loss(score, batch.segments, batch.exit, limit)

        def validate() -> float:
            ranks = paper_ranks(-self._scores(valid), valid.views.segments, valid.views.exit)
            return float(np.nanmean(ndcg(ranks, 5)))

        train_network(
            self.network,
            lambda generator: self.collator.batches(data, split.train, size, generator),
            loss,
            validate,
            Schedule(
                self.config.epochs,
                size,
                self.config.learning_rate,
                self.config.weight_decay,
                patience=self.config.patience,
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
        return facts, {k: v.detach().cpu().numpy() for k, v in self.network.state_dict().items()}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self._build(Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"])), facts["dims"], seed=0)
        self.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        self.network.eval()
        self.a, self.c, self.device = float(facts["a"]), float(facts["c"]), "cpu"

    def _build(self, users: Vocabulary, videos: Vocabulary, dims: Mapping[str, int], seed: int) -> None:
        self.users, self.videos, self.dims = users, videos, dims
        self.collator = Collator(users, videos, tuple(dims))
        torch.manual_seed(seed)
        self.network = PaperNetwork(self.config, len(users), len(videos), dims)

    @torch.no_grad()
    def _scores(self, data: Dataset) -> Float64:
        """Interest (B, max_segments + 1); 0 beyond the end slot."""
        self.network.eval()
        scores = np.zeros((len(data), self.config.max_segments + 1))
        at = 0
        for batch in self.collator.batches(data, np.arange(len(data)), self.config.batch_views):
            part = self.network(batch.to(self.device)).float().cpu().numpy()
            scores[at : at + len(part), : part.shape[1]] = part
            at += len(part)
        scores[np.arange(scores.shape[1])[None, :] > data.views.segments[:, None]] = 0.0
        return scores
