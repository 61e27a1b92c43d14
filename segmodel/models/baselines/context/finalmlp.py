"""FinalMLP (Mao et al., AAAI 2023, doi 10.1609/aaai.v37i4.25577)."""

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
class FinalMLPConfig(RecommenderConfig):
    """Settings of FinalMLP."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "layers": (2, 1, 3)}

    layers: int = 2
    heads: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d % self.heads:
            raise ValueError(f"d = {self.d} must be a multiple of heads = {self.heads}")


class FeatureGate(nn.Module):
    """h = 2 sigma(MLP(x)) * e: what a stream sees of the embeddings e, chosen by the features x."""

    def __init__(self, inputs: int, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = mlp([inputs, hidden, width])

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """(T, inputs), (T, width) -> (T, width)"""
        return 2.0 * torch.sigmoid(self.gate(x)) * e


class StreamFusion(nn.Module):
    """b + w_1 · o_1 + w_2 · o_2 + sum_h o_1^(h)T W_3^(h) o_2^(h), over heads h that slice both streams."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.Linear(d, 1), nn.Linear(d, 1, bias=False)
        self.bilinear = nn.Parameter(torch.randn(heads, d // heads, d // heads) * heads / d)

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        """(T, d), (T, d) -> (T,)"""
        sliced = (x.unflatten(-1, (self.heads, -1)) for x in (one, two))
        total: Tensor = (self.first(one) + self.second(two))[:, 0]
        return total + torch.einsum("thp,hpq,thq->t", next(sliced), self.bilinear, next(sliced))


class FinalMLPNetwork(ItemNetwork):
    """Two MLP streams over gated embeddings, fused bilinearly: one gate follows the user, the other the item."""

    def __init__(self, config: FinalMLPConfig, sizes: Sizes) -> None:
        super().__init__()
        d, width = config.d, len(FIELDS) * config.d
        self.embed = FieldEmbedding(sizes, d)
        self.user_gate, self.item_gate = FeatureGate(d, width, d), FeatureGate(3 * d, width, d)
        self.user_stream = mlp([width, *[d] * config.layers], config.dropout)
        self.item_stream = mlp([width, *[d] * config.layers], config.dropout)
        self.fusion = StreamFusion(d, config.heads)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        fields = self.embed(batch, items)
        flat = fields.flatten(1)
        one = self.user_stream(self.user_gate(fields[:, 0], flat))
        two = self.item_stream(self.item_gate(fields[:, 1:].flatten(1), flat))
        score: Tensor = self.fusion(torch.relu(one), torch.relu(two))
        return score


class FinalMLP(Recommender):
    """FinalMLP on user, video, segment and length."""

    Config = FinalMLPConfig
    config: FinalMLPConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> FinalMLPNetwork:
        return FinalMLPNetwork(self.config, sizes)
