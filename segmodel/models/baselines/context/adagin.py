"""AdaGIN (Sang et al., ACM TOIS 2024, doi 10.1145/3681785)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search, one_of

EDGES = ("positive", "fair-share")
"""Which edges a softmax over fields keeps: those of any weight above 0, or of at least 1 / F."""


@dataclass(frozen=True)
class AdaGINConfig(RecommenderConfig):
    """Settings of AdaGIN."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "layers": (2, 1, 3), "edges": EDGES}
    before: ClassVar[Mapping[str, Any]] = {**RecommenderConfig.before, "edges": "fair-share"}

    layers: int = 2
    """Orders of interaction beyond the plain fields. The paper's negative-feedback search of this number is left to
    whoever searches settings."""
    edges: str = "positive"
    """``positive`` is what the authors' code does: at its low temperature the weight of an edge underflows to 0 in
    single precision once its logit is about 1 below the best, so that most edges stay."""
    edge_temperature: float = 0.01
    node_temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("edges", self.edges, EDGES)


def noisy_softmax(logits: Tensor, temperature: float, dim: int, noisy: bool) -> Tensor:
    """Softmax of logits / temperature, with Gumbel noise on the logits while training."""
    return F.gumbel_softmax(logits, temperature, dim=dim) if noisy else (logits / temperature).softmax(dim=dim)


class FeatureGraphLayer(nn.Module):
    """One step of the graph of fields (the paper's GFIM): choose edges, aggregate, weigh fields, add the first layer.

    Edge j -> i is kept where a_ij = softmax_j(LeakyReLU(w · [e_i; e_j]) / temperature) > 0, as in the authors' code, or
    >= its fair share 1 / F; itself always. That makes a 0/1 adjacency A. Its gradient is that of a, straight-through;
    in the authors' code w gets none. Then h_i = g_i · W_i sum_j A_ij e_j with field importance
    g = softmax_i(MLP(·)), and LeakyReLU(h) + e^(0).
    """

    def __init__(
        self, fields: int, d: int, edge_temperature: float, node_temperature: float, edges: str = "positive"
    ) -> None:
        super().__init__()
        self.fair_share = edges == "fair-share"
        self.edge_temperature, self.node_temperature = edge_temperature, node_temperature
        self.edge = nn.Linear(2 * d, 1, bias=False)
        self.transform = nn.Parameter(torch.randn(fields, d, d) * d**-0.5)
        self.importance = mlp([d, d, 1])
        self.register_buffer("itself", torch.eye(fields), persistent=False)
        self.itself: Tensor

    def adjacency(self, e: Tensor) -> Tensor:
        """A (T, F, F) of fields (T, F, d), entries 0 or 1."""
        fields = e.shape[1]
        pairs = torch.cat([e[:, :, None].expand(-1, -1, fields, -1), e[:, None].expand(-1, fields, -1, -1)], dim=-1)
        soft = noisy_softmax(F.leaky_relu(self.edge(pairs)[..., 0]), self.edge_temperature, -1, self.training)
        kept = soft >= 1.0 / fields if self.fair_share else soft > 0
        hard = torch.maximum(kept.to(soft.dtype), self.itself)
        return hard + soft - soft.detach()

    def forward(self, e: Tensor, first: Tensor) -> Tensor:
        """(T, F, d) and layer 0 -> the next layer (T, F, d)."""
        gathered = torch.einsum("fpq,tfq->tfp", self.transform, self.adjacency(e) @ e)
        weight = noisy_softmax(self.importance(gathered), self.node_temperature, 1, self.training)
        return F.leaky_relu(gathered * weight) + first


class SemanticSpaces(nn.Module):
    """The paper's MFIM: three readings of one layer, each a value times a learned gate, summed.

    Elementwise products and inner products of all pairs of fields, and the fields side by side.
    """

    def __init__(self, fields: int, d: int, dropout: float) -> None:
        super().__init__()
        row, column = torch.triu_indices(fields, fields)
        self.register_buffer("row", row, persistent=False)
        self.register_buffer("column", column, persistent=False)
        self.row: Tensor
        self.column: Tensor
        widths = (len(row) * d, len(row), fields * d)
        self.value = nn.ModuleList(mlp([width, d, 1], dropout) for width in widths)
        self.gate = nn.ModuleList(mlp([width, d, 1], dropout) for width in widths)

    def forward(self, e: Tensor) -> Tensor:
        """(T, F, d) -> (T,)"""
        products = e[:, self.row] * e[:, self.column]
        readings = (products.flatten(1), products.sum(dim=-1), e.flatten(1))
        total: Tensor = sum(
            F.leaky_relu(gate(x)) * value(x) for x, gate, value in zip(readings, self.gate, self.value, strict=True)
        )[:, 0]
        return total


class AdaGINNetwork(ItemNetwork):
    """logit = sum_l softmax(w)_l · MFIM(e^(l)): every layer is an order of interaction, weighed adaptively."""

    def __init__(self, config: AdaGINConfig, sizes: Sizes) -> None:
        super().__init__()
        fields = len(FIELDS)
        self.embed = FieldEmbedding(sizes, config.d)
        self.graph = nn.ModuleList(
            FeatureGraphLayer(fields, config.d, config.edge_temperature, config.node_temperature, config.edges)
            for _ in range(config.layers)
        )
        self.read = SemanticSpaces(fields, config.d, config.dropout)
        self.order_weight = nn.Parameter(torch.zeros(config.layers + 1))

    def forward(self, batch: Batch, items: Items) -> Tensor:
        first = self.embed(batch, items)
        orders = [first]
        for layer in self.graph:
            orders.append(layer(orders[-1], first))
        return torch.stack([self.read(e) for e in orders], dim=1) @ self.order_weight.softmax(dim=0)


class AdaGIN(Recommender):
    """AdaGIN on user, video, segment and length."""

    Config = AdaGINConfig
    config: AdaGINConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> AdaGINNetwork:
        return AdaGINNetwork(self.config, sizes)
