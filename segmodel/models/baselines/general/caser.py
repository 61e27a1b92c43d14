"""Caser (Tang and Wang, WSDM 2018, doi 10.1145/3159652.3159656)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import IdEmbedding, SegmentEmbedding, Sizes, mlp
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class CaserConfig(RecommenderConfig):
    """Settings of Caser."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "history": (10, 20)}

    history: int = 10
    """L, the newest viewed segments that make the image."""
    heights: tuple[int, ...] = (1, 2, 3, 5)
    horizontal: int = 8
    """Filters per height."""
    vertical: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.heights or max(self.heights) > self.history or min(self.heights) < 1:
            raise ValueError(f"heights {self.heights}: each must be in 1 .. history = {self.history}")


class CaserNetwork(ItemNetwork):
    """The last L items as an image E (L, d), read by convolutions.

    Horizontal filters of height h slide over time, then max-pool: o_k = max_t relu(E[t : t + h] · F_k).
    Vertical ones weigh the L rows: õ_k = sum_l F̃_k,l E_l. z = relu(W [o; õ] + b) and the user's
    embedding give y_i = W'_i · [z; P_u] + b'_i, with W'_i and b'_i composed of video and position.
    """

    def __init__(self, config: CaserConfig, sizes: Sizes) -> None:
        super().__init__()
        d, self.length = config.d, config.history
        self.item = SegmentEmbedding(sizes, d)
        self.user = IdEmbedding(sizes.users, d)
        self.horizontal = nn.ModuleList(nn.Conv2d(1, config.horizontal, (h, d)) for h in config.heights)
        self.vertical = nn.Conv2d(1, config.vertical, (config.history, 1))
        self.combine = mlp([config.horizontal * len(config.heights) + config.vertical * d, d])
        self.dropout = nn.Dropout(config.dropout)
        self.output = SegmentEmbedding(sizes, 2 * d + 1)

    def convolutions(self, image: Tensor) -> Tensor:
        """[o; õ] of images (B, L, d)."""
        plane = image[:, None]
        across = [torch.relu(conv(plane)[..., 0]).amax(dim=-1) for conv in self.horizontal]
        return torch.cat([*across, self.vertical(plane)[:, :, 0].flatten(1)], dim=1)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        image, _ = self.item.history(batch, self.length)
        z = torch.relu(self.combine(self.dropout(self.convolutions(image))))
        state = torch.cat([z, self.user(batch.user), torch.ones_like(z[:, :1])], dim=1)
        return (state[items.view] * self.output.targets(batch, items)).sum(dim=-1)


class Caser(Recommender):
    """Caser on the newest viewed segments."""

    Config = CaserConfig
    config: CaserConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> CaserNetwork:
        return CaserNetwork(self.config, sizes)
