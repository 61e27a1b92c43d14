"""SLMRec (Tao et al., IEEE TMM 2023, doi 10.1109/TMM.2022.3187556)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.graph import GraphEmbedding
from segmodel.models.baselines.items import Items, one_watched_each
from segmodel.models.baselines.multimodal.content import (
    ContentProjection,
    MultimodalConfig,
    MultimodalRecommender,
    NodeContent,
    batch_content,
)
from segmodel.models.baselines.objectives import info_nce, pairwise_loss
from segmodel.models.baselines.recommender import RankingNetwork
from segmodel.models.settings import Search

IDS = "id"


@dataclass(frozen=True)
class SLMRecConfig(MultimodalConfig):
    """Settings of SLMRec."""

    search: ClassVar[Search] = {**MultimodalConfig.search, "layers": (2, 1), "contrast": (0.1, 0.01)}

    contrast: float = 0.1
    """Weight of the self-supervised task."""
    temperature: float = 0.2
    feature_dropout: float = 0.1


class SLMRecNetwork(RankingNetwork):
    """A LightGCN per modality, ids being one; user and item are linear maps of all modalities side by side.

    Self-supervision by feature masking and dropout: two views of the graph, in each of which another modality is masked
    and features are dropped; InfoNCE pulls the two views of a user, and of an item, together. Loss: BPR plus contrast
    times that.
    """

    def __init__(self, config: SLMRecConfig, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.config = config
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)
        self.content = NodeContent(sizes, arrays)
        self.project = nn.ModuleDict({m: ContentProjection(dim, config.d) for m, dim in sizes.dims.items()})
        self.spaces = (IDS, *sizes.dims)
        self.fuse_user = nn.Linear(len(self.spaces) * config.d, config.d)
        self.fuse_item = nn.Linear(len(self.spaces) * config.d, config.d)

    def vectors(self, batch: Batch, items: Items, masked: str = "", dropout: float = 0.0) -> tuple[Tensor, Tensor]:
        """Vectors of the items' users and of the items, both (T, d); one modality may be masked, features dropped."""
        users, items_ = [], []
        for space in self.spaces:
            user, node, alone = (F.dropout(v, dropout) for v in self._layer_zero(space, batch, items))
            if space == masked:
                node, alone = torch.zeros_like(node), torch.zeros_like(alone)
            user, node = self.embed.graph.propagate(user, node, self.config.layers)
            users.append(user[batch.user[items.view]])
            items_.append(self.embed.place(node, alone / (self.config.layers + 1), batch, items))
        return self.fuse_user(torch.cat(users, dim=-1)), self.fuse_item(torch.cat(items_, dim=-1))

    def _layer_zero(self, space: str, batch: Batch, items: Items) -> tuple[Tensor, Tensor, Tensor]:
        """Users (U, d), nodes (I, d), and the batch's items (T, d)."""
        users, nodes = self.embed.layer_zero()
        if space == IDS:
            return users, nodes, self.embed.segment.targets(batch, items)
        project = self.project[space]
        return users, project(*self.content.of(space)), project(*batch_content(batch, items, space))

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.vectors(batch, items)
        return (user * item).sum(dim=-1)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        ranking = pairwise_loss(self(batch, items).float(), label, items, len(batch.user))
        chosen = one_watched_each(items, label, len(batch.user))
        # Each user once, so that no row has its own double among the negatives.
        _, first = torch.unique(batch.user[items.view[chosen]], return_inverse=True)
        once = chosen.new_zeros(int(first.max()) + 1 if len(first) else 0).index_put((first,), chosen)
        one, two = (self.spaces[i] for i in torch.randperm(len(self.spaces))[:2].tolist())
        users, others = zip(
            *(self.vectors(batch, items, space, self.config.feature_dropout) for space in (one, two)), strict=True
        )
        contrast = info_nce(users[0][once], users[1][once], self.config.temperature) + info_nce(
            others[0][chosen], others[1][chosen], self.config.temperature
        )
        return ranking + self.config.contrast * contrast


class SLMRec(MultimodalRecommender):
    """SLMRec on users, watched segments and their content."""

    Config = SLMRecConfig
    config: SLMRecConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> SLMRecNetwork:
        return SLMRecNetwork(self.config, sizes, structure)
