"""DCN-V2 (Wang et al., WWW 2021, doi 10.1145/3442381.3450078)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class DCNv2Config(RecommenderConfig):
    """Settings of DCN-V2."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "crosses": (2, 1, 3)}

    crosses: int = 2
    layers: int = 2


class CrossLayers(nn.Module):
    """x_{l+1} = x_0 * (W_l x_l + b_l) + x_l, elementwise product, full-rank W."""

    def __init__(self, width: int, crosses: int) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(width, width) for _ in range(crosses))

    def forward(self, x0: Tensor) -> Tensor:
        """(T, width) -> (T, width)"""
        x = x0
        for linear in self.linear:
            x = x0 * linear(x) + x
        return x


class DCNv2Network(ItemNetwork):
    """The parallel structure: logit = w · [cross layers(x_0); MLP(x_0)]."""

    def __init__(self, config: DCNv2Config, sizes: Sizes) -> None:
        super().__init__()
        width = len(FIELDS) * config.d
        self.embed = FieldEmbedding(sizes, config.d)
        self.cross = CrossLayers(width, config.crosses)
        self.deep = mlp([width, *[config.d] * config.layers], config.dropout)
        self.output = nn.Linear(width + config.d, 1)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        x0 = self.embed(batch, items).flatten(1)
        score: Tensor = self.output(torch.cat([self.cross(x0), torch.relu(self.deep(x0))], dim=1))[:, 0]
        return score


class DCNv2(Recommender):
    """DCN-V2 on user, video, segment and length."""

    Config = DCNv2Config
    config: DCNv2Config

    def make_network(self, sizes: Sizes, structure: Arrays) -> DCNv2Network:
        return DCNv2Network(self.config, sizes)
