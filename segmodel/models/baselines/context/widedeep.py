"""Wide & Deep (Cheng et al., DLRS 2016, doi 10.1145/2988450.2988454)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding, field_codes
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class WideDeepConfig(RecommenderConfig):
    """Settings of Wide & Deep."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "layers": (2, 1, 3)}

    layers: int = 2


class Wide(nn.Module):
    """w · [x, phi(x)] + b: a weight per id of every field, and one per pair of segment and length, phi."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.slots = sizes.slots
        counts = (sizes.users, sizes.videos, sizes.slots, sizes.slots)
        self.weights = nn.ModuleList(nn.Embedding(count, 1) for count in counts)
        self.cross = nn.Embedding(sizes.slots**2, 1)
        self.bias = nn.Parameter(torch.zeros(()))
        for table in (*self.weights, self.cross):
            nn.init.zeros_(table.weight)

    def forward(self, codes: Tensor) -> Tensor:
        """(T, F) -> (T,)"""
        single = sum(table(code)[:, 0] for table, code in zip(self.weights, codes.unbind(dim=1), strict=True))
        total: Tensor = self.bias + single + self.cross(codes[:, 2] * self.slots + codes[:, 3])[:, 0]
        return total


class WideDeepNetwork(ItemNetwork):
    """wide(x) + deep(a): the logit sums a linear model of ids and their crosses and an MLP on embeddings."""

    def __init__(self, config: WideDeepConfig, sizes: Sizes) -> None:
        super().__init__()
        self.embed = FieldEmbedding(sizes, config.d)
        self.wide = Wide(sizes)
        self.deep = mlp([len(FIELDS) * config.d, *[config.d] * config.layers, 1], config.dropout)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        deep: Tensor = self.deep(self.embed(batch, items).flatten(1))[:, 0]
        return self.wide(field_codes(batch, items)) + deep


class WideDeep(Recommender):
    """Wide & Deep on user, video, segment and length."""

    Config = WideDeepConfig
    config: WideDeepConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> WideDeepNetwork:
        return WideDeepNetwork(self.config, sizes)
