"""BM3 (Zhou et al., WWW 2023, doi 10.1145/3543507.3583251)."""

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
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.multimodal.content import (
    ContentProjection,
    MultimodalConfig,
    MultimodalRecommender,
    batch_content,
)
from segmodel.models.baselines.recommender import ItemNetwork
from segmodel.models.settings import Search


@dataclass(frozen=True)
class BM3Config(MultimodalConfig):
    """Settings of BM3."""

    search: ClassVar[Search] = {**MultimodalConfig.search, "layers": (1, 2), "target_dropout": (0.3, 0.5)}

    layers: int = 1
    target_dropout: float = 0.3
    """Between the online vectors and the targets that they should predict."""
    content: float = 1.0
    """Weight of the content losses."""


def distance(online: Tensor, target: Tensor) -> Tensor:
    """1 - mean cosine of predictions (P, d) and targets (P, d), through which no gradient flows; 0 of none."""
    if not len(online):
        return online.sum()
    return 1.0 - F.cosine_similarity(online, target.detach(), dim=-1).mean()


class BM3Network(ItemNetwork):
    """Bootstrapped, without negatives: a predictor of the online vector should find the other side's target vector.

    Targets are the same vectors after dropout, without gradient. User and item come from a LightGCN, the item with its
    layer 0 added. Loss: C(p(u), i') + C(p(i), u') + content · sum over modalities m of the inter-modal C(p(e_m), i')
    and the intra-modal C(p(e_m), e_m'), where C is 1 - cosine. Score: p(u) · p(i).

    An item outside the graph has no trained id: the mean of its contents, which training aligned with the ids, stands
    in, with its position.
    """

    def __init__(self, config: BM3Config, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.config = config
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)
        self.project = nn.ModuleDict({m: ContentProjection(dim, config.d) for m, dim in sizes.dims.items()})
        self.predictor = nn.Linear(config.d, config.d)

    def vectors(self, batch: Batch, items: Items) -> tuple[Tensor, Tensor]:
        """Vectors of the items' users and of the items, both (T, d)."""
        user, item = self.embed(batch, items)
        item = item + self.embed.segment.targets(batch, items)
        contents, there = zip(
            *((project(*found), found[1]) for project, found in self._contents(batch, items)), strict=True
        )
        count = torch.stack(there).sum(dim=0)[:, None]
        mean = (torch.stack(contents) * torch.stack(there)[..., None]).sum(dim=0) / count.clamp(min=1)
        cold = (self.embed.graph.node(batch.video[items.view], items.place) < 0)[:, None] & (count > 0)
        position = self.embed.segment.position(items.place)
        return user, torch.where(cold, mean + position, item)

    def _contents(self, batch: Batch, items: Items) -> list[tuple[nn.Module, tuple[Tensor, Tensor]]]:
        return [(project, batch_content(batch, items, m)) for m, project in self.project.items()]

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.vectors(batch, items)
        return (self.predictor(user) * self.predictor(item)).sum(dim=-1)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        watched = items.take(label > 0)
        user, item = self.vectors(batch, watched)
        target = self._target(item)
        total = distance(self.predictor(user), target) + distance(self.predictor(item), self._target(user))
        for project, (values, valid) in self._contents(batch, watched):
            if valid.any():
                content = project(values[valid], valid[valid])
                online = self.predictor(content)
                alike = distance(online, target[valid]) + distance(online, self._target(content))
                total = total + self.config.content * alike
        return total

    def _target(self, vectors: Tensor) -> Tensor:
        return F.dropout(vectors.detach(), self.config.target_dropout, self.training)


class BM3(MultimodalRecommender):
    """BM3 on users, watched segments and their content."""

    Config = BM3Config
    config: BM3Config

    def make_network(self, sizes: Sizes, structure: Arrays) -> BM3Network:
        return BM3Network(self.config, sizes, structure)
