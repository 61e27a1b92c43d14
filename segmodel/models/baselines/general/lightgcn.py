"""LightGCN (He et al., SIGIR 2020, doi 10.1145/3397271.3401063)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from segmodel.data.batch import Batch
from segmodel.data.dataset import Dataset
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.graph import GraphEmbedding, watched_graph
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import RankingNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class LightGCNConfig(RecommenderConfig):
    """Settings of LightGCN."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "layers": (2, 1, 3)}

    layers: int = 2


class LightGCNNetwork(RankingNetwork):
    """score(u, i) = e_u · e_i, both the mean of layers 0 … K of e^(k+1) = D^-1/2 A D^-1/2 e^(k).

    The graph holds users and the segments they watched; layer 0 of a segment is the sum of its video's and its
    position's embedding. Trained with BPR; the L2 penalty is the optimiser's weight decay.
    """

    def __init__(self, config: LightGCNConfig, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.embed(batch, items)
        return (user * item).sum(dim=-1)


class GraphRecommender(Recommender):
    """A recommender whose network is built on the graph of watched segments."""

    def learn_structure(self, data: Dataset, rows: np.ndarray) -> Arrays:
        return watched_graph(data, rows, self.users, self.videos)


class LightGCN(GraphRecommender):
    """LightGCN on users and watched segments."""

    Config = LightGCNConfig
    config: LightGCNConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> LightGCNNetwork:
        return LightGCNNetwork(self.config, sizes, structure)
