"""DIN (Zhou et al., KDD 2018, doi 10.1145/3219819.3219823)."""

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
class DINConfig(RecommenderConfig):
    """Settings of DIN."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "history": (20, 10)}

    history: int = 20
    layers: int = 2
    attention_width: int = 32


class ActivationUnit(nn.Module):
    """v_U(A) = sum_j a(e_j, v_A) e_j, the interest that the target A stirs in the history.

    a is an MLP on [e_j, v_A, e_j - v_A, e_j * v_A]; its weights are not normalised, so that their sum tells how strong
    the interest is.
    """

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.weigh = mlp([4 * d, width, 1])

    def weights(self, history: Tensor, target: Tensor) -> Tensor:
        """a (T, H) of history (T, H, d) for targets (T, d)."""
        v = target[:, None].expand_as(history)
        a: Tensor = self.weigh(torch.cat([history, v, history - v, history * v], dim=-1))[..., 0]
        return a

    def forward(self, history: Tensor, mask: Tensor, target: Tensor) -> Tensor:
        """Interest (T, d); zeros without history."""
        weights = torch.where(mask, self.weights(history, target), 0.0)
        return (weights[:, None] @ history)[:, 0]


class DINNetwork(ItemNetwork):
    """MLP on the fields, the target and the interest it activates in the newest viewed segments."""

    def __init__(self, config: DINConfig, sizes: Sizes) -> None:
        super().__init__()
        d, self.length = config.d, config.history
        self.embed = FieldEmbedding(sizes, d)
        self.activation = ActivationUnit(d, config.attention_width)
        self.deep = mlp([(len(FIELDS) + 1) * d, *[d] * config.layers, 1], config.dropout)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        history = self.embed.history(batch, self.length).of(items)
        interest = self.activation(*history, self.embed.target(batch, items))
        x = torch.cat([self.embed(batch, items).flatten(1), interest], dim=1)
        score: Tensor = self.deep(x)[:, 0]
        return score


class DIN(Recommender):
    """DIN on user, video, segment, length and the newest viewed segments."""

    Config = DINConfig
    config: DINConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> DINNetwork:
        return DINNetwork(self.config, sizes)
