"""The paper's model: hybrid representation -> user–video encoder -> segment interest decoder, trained to rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.data.content import CONTENT
from segmodel.data.dataset import HISTORY_SEGMENTS, Dataset
from segmodel.models.losses import intra_video_loss, watched_loss
from segmodel.models.paper.decoder import SegmentInterestDecoder
from segmodel.models.paper.encoder import UserVideoEncoder
from segmodel.models.paper.representation import ContentRepresentation, IdRepresentation
from segmodel.models.ranking import RankingConfig, RankingModel
from segmodel.models.settings import Ablations, Search, one_of

LOSSES = ("intra-video", "bce")

SCORES = ("logit", "sigmoid")
"""What ranks segments: the unbounded sum, as the public code trains it, or its sigmoid, as the text prints it."""


@dataclass(frozen=True)
class PaperConfig(RankingConfig):
    """Settings of the paper's model and its ablations."""

    search: ClassVar[Search] = {**RankingConfig.search, "layers": (2, 1)}
    before: ClassVar[Mapping[str, Any]] = {**RankingConfig.before, "score": "sigmoid"}
    ablations: ClassVar[Ablations] = {
        "no attention": {"attention": False},
        "no position": {"position": False},
        "bce loss": {"loss": "bce"},
    }

    modalities: tuple[str, ...] = ("id", *CONTENT)
    """Those of them that the store has are used."""
    layers: int = 2
    heads: int = 4
    fusion_heads: int = 2
    attention: bool = True
    """False: the encoder is left out and the representation goes straight to the decoder."""
    position: bool = True
    """False: no position embeddings and no position bias."""
    score: str = "logit"
    """``sigmoid`` holds o inside (0, 1): but for the position bias, no pair's margin can move by more than 1."""
    loss: str = "intra-video"
    batch_views: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [m for m in self.modalities if m not in ("id", *CONTENT)]
        if unknown or not self.modalities:
            raise ValueError(f"modalities {','.join(self.modalities)!r}: valid are {', '.join(('id', *CONTENT))}")
        one_of("loss", self.loss, LOSSES)
        one_of("score", self.score, SCORES)
        if self.d % (2 * self.heads) or self.d % self.fusion_heads:
            raise ValueError(f"d = {self.d} must be a multiple of 2 · heads = {2 * self.heads} and of fusion_heads")


class PaperNetwork(nn.Module):
    """Interest p of the N segments and the end slot of each view."""

    def __init__(self, config: PaperConfig, users: int, videos: int, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        slots, own_end = config.max_segments + 1, config.end_slot == "own"
        self.representation = nn.ModuleDict()
        if "id" in config.modalities:
            self.representation["id"] = IdRepresentation(users, videos, slots, config.d, own_end)
        for modality, dim in dims.items():
            self.representation[modality] = ContentRepresentation(dim, slots, HISTORY_SEGMENTS, config.d, own_end)
        if config.attention:
            self.encoder = nn.ModuleDict(
                {
                    m: UserVideoEncoder(config.d, config.heads, config.layers, config.dropout)
                    for m in self.representation
                }
            )
        self.decoder = SegmentInterestDecoder(
            len(self.representation), config.d, config.fusion_heads, slots, bounded=config.score == "sigmoid"
        )

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


class PaperModel(RankingModel):
    """He et al. 2025; it ranks, and two fitted numbers turn its ranks into probabilities.

    Faithful to the text, but for what ``score`` and ``end_slot`` decide: the text is ``sigmoid`` and ``shared``.
    """

    Config = PaperConfig
    config: PaperConfig

    def content_dims(self, data: Dataset) -> dict[str, int]:
        here = data.store.encoders if data.store is not None else {}
        dims = {m: here[m].dim for m in CONTENT if m in self.config.modalities and m in here}
        if not dims and "id" not in self.config.modalities:
            raise ValueError(f"the store has none of the modalities {', '.join(self.config.modalities)}")
        return dims

    def build_network(self) -> PaperNetwork:
        return PaperNetwork(self.config, len(self.users), len(self.videos), self.dims)

    def batch_loss(self, batch: Batch) -> Tensor:
        loss = watched_loss if self.config.loss == "bce" else intra_video_loss
        return loss(self.batch_scores(batch).float(), batch.segments, batch.exit, self.config.max_segments)

    def batch_scores(self, batch: Batch) -> Tensor:
        interest: Tensor = self.network(batch)
        return interest
