"""DirectAU (Wang et al., KDD 2022, doi 10.1145/3534678.3539253)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.general.lightgcn import GraphRecommender
from segmodel.models.baselines.graph import GraphEmbedding
from segmodel.models.baselines.items import Items, one_watched_each
from segmodel.models.baselines.recommender import ItemNetwork, RecommenderConfig
from segmodel.models.settings import Search, one_of


def alignment(users: Tensor, items: Tensor) -> Tensor:
    """Mean squared distance of normalised pairs (P, d): l_align = E ||f(u) - f(i)||^2; 0 where there is no pair."""
    if not len(users):
        return users.sum() + items.sum()
    return (F.normalize(users, dim=-1) - F.normalize(items, dim=-1)).square().sum(dim=-1).mean()


def uniformity(vectors: Tensor) -> Tensor:
    """log E exp(-2 ||f(x) - f(x')||^2) over distinct pairs of rows (P, d); 0 for fewer than two rows."""
    if len(vectors) < 2:
        return vectors.sum() * 0.0
    normal = F.normalize(vectors, dim=-1)
    # ||x - y||^2 = 2 - 2 x · y on the sphere: one product instead of all differences.
    row, column = torch.triu_indices(len(normal), len(normal), offset=1, device=normal.device)
    squared = 2.0 - 2.0 * (normal @ normal.T)[row, column]
    return torch.logsumexp(-2.0 * squared, dim=0) - torch.log(torch.tensor(float(len(row)), device=normal.device))


SCORES = ("dot", "cosine")
"""Of user and item vectors: their dot product, as its authors rank, or the cosine, which is what the loss shapes."""


@dataclass(frozen=True)
class DirectAUConfig(RecommenderConfig):
    """Settings of DirectAU."""

    search: ClassVar[Search] = {
        **RecommenderConfig.search,
        "layers": (1, 2),
        "gamma": (1.0, 0.3, 3.0),
        "score": SCORES,
    }
    before: ClassVar[Mapping[str, Any]] = {**RecommenderConfig.before, "score": "cosine"}

    layers: int = 1
    """Of its LightGCN encoder; 0 is the plain matrix factorisation."""
    gamma: float = 1.0
    """Weight of uniformity."""
    score: str = "dot"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("score", self.score, SCORES)


class DirectAUNetwork(ItemNetwork):
    """Loss: l_align + gamma · (l_uniform(users) + l_uniform(items)) / 2, on one watched item of each view.

    No negatives: the segment where the user left enters no term.
    """

    def __init__(self, config: DirectAUConfig, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)
        self.gamma, self.cosine = config.gamma, config.score == "cosine"

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.embed(batch, items)
        return F.cosine_similarity(user, item, dim=-1) if self.cosine else (user * item).sum(dim=-1)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        chosen = one_watched_each(items, label, len(batch.user))
        user, item = (v[chosen] for v in self.embed(batch, items))
        # A user with several views of the batch would be its own neighbour at distance 0.
        once = _first_of_each(batch.user[items.view][chosen])
        return alignment(user, item) + self.gamma * (uniformity(user[once]) + uniformity(item)) / 2


def _first_of_each(codes: Tensor) -> Tensor:
    order = torch.argsort(codes, stable=True)
    ordered = codes[order]
    return order[torch.cat([ordered.new_ones(min(1, len(ordered)), dtype=torch.bool), ordered[1:] != ordered[:-1]])]


class DirectAU(GraphRecommender):
    """DirectAU with a LightGCN encoder on users and watched segments."""

    Config = DirectAUConfig
    config: DirectAUConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> DirectAUNetwork:
        return DirectAUNetwork(self.config, sizes, structure)
