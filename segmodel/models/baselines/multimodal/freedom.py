"""FREEDOM (Zhou and Shen, ACM MM 2023, doi 10.1145/3581783.3611943)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.graph import GraphEmbedding, sparse, symmetric
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.multimodal.content import (
    ContentProjection,
    MultimodalConfig,
    MultimodalRecommender,
    NodeContent,
    batch_content,
)
from segmodel.models.baselines.objectives import pairwise_loss
from segmodel.models.baselines.recommender import RankingNetwork
from segmodel.models.settings import Search, one_of

_CHUNK = 1024


ITEM_GRAPHS = ("with-self", "others")
"""Whether a segment is among its own k nearest, all of weight 1 / k, as in the authors' code; or not, and an edge's
weight also falls with how often its end is a neighbour."""


@dataclass(frozen=True)
class FREEDOMConfig(MultimodalConfig):
    """Settings of FREEDOM."""

    search: ClassVar[Search] = {
        **MultimodalConfig.search,
        "layers": (2, 1),
        "pruned": (0.8, 0.9),
        "item_graph": ITEM_GRAPHS,
    }
    before: ClassVar[Mapping[str, Any]] = {**MultimodalConfig.before, "item_graph": "others"}

    neighbours: int = 10
    pruned: float = 0.8
    """Share of the user–item edges left out in a training step."""
    content: float = 1e-3
    """Weight of the content losses."""
    item_graph: str = "with-self"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("item_graph", self.item_graph, ITEM_GRAPHS)


def nearest(features: Tensor, valid: Tensor, among: Tensor, among_valid: Tensor, k: int, others: bool) -> Tensor:
    """The k most similar rows of ``among`` (I, D) for each of ``features`` (P, D), by cosine; (P, k), -1 where none is.

    ``others`` says that both are the same rows, of which none is to be its own neighbour.
    """
    pool = F.normalize(among, dim=-1).T
    k = min(k, len(among))
    parts = []
    for start in range(0, len(features), _CHUNK):
        likeness = F.normalize(features[start : start + _CHUNK], dim=-1) @ pool
        likeness = likeness.masked_fill(~(valid[start : start + _CHUNK, None] & among_valid), -torch.inf)
        if others:
            rows = torch.arange(len(likeness), device=likeness.device)
            likeness[rows, rows + start] = -torch.inf
        value, index = likeness.topk(k, dim=1)
        parts.append(torch.where(value.isinf(), -1, index))
    return torch.cat(parts) if parts else torch.zeros(0, k, dtype=torch.int64, device=features.device)


def item_graph(neighbour: Tensor, in_degree: bool = False) -> Tensor:
    """The normalised item–item graph (I, I) of neighbours (I, k): D^-1/2 S D^-1/2, S_ij = [j is a neighbour of i].

    D counts the neighbours that an item has, so that each of k has weight 1 / k; with ``in_degree``, the columns' D
    counts those whose neighbour it is.
    """
    row, column = torch.nonzero(neighbour >= 0, as_tuple=True)
    to = neighbour[row, column]
    if in_degree:
        return symmetric(row, to, len(neighbour))
    count = (neighbour >= 0).sum(dim=1).float()
    return sparse(torch.stack([row, to]), (count[row] * count[to]).rsqrt(), len(neighbour))


class FREEDOMNetwork(RankingNetwork):
    """A frozen item–item graph from content, and a denoised user–item graph.

    Item–item: the k nearest segments by cosine in each modality, normalised, averaged over modalities, fixed before
    training; one propagation of layer 0 along it, h_i, is added to the LightGCN's vector. User–item: in training, each
    step samples 1 - pruned of the edges with probability ~ 1 / sqrt(d_u d_i), degree-sensitive, and normalises what is
    left; otherwise all edges. Loss: BPR + content · sum_m BPR on user · projected content. An item outside the graph
    takes the mean of layer 0 over its nearest segments in the graph as h_i, itself among them if the graph has it so.
    """

    def __init__(self, config: FREEDOMConfig, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.config = config
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)
        self.content = NodeContent(sizes, arrays)
        self.with_self = config.item_graph == "with-self"
        self.project = nn.ModuleDict({m: ContentProjection(dim, config.d) for m, dim in sizes.dims.items()})
        graph = self.embed.graph
        total = sparse(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0), graph.items)
        for m in self.project:
            values, valid = self.content.of(m)
            neighbour = nearest(values, valid, values, valid, config.neighbours, others=not self.with_self)
            total = total + item_graph(neighbour, in_degree=not self.with_self)
        self.register_buffer("similar", (total / len(self.project)).coalesce(), persistent=False)
        self.similar: Tensor
        degree = (
            torch.bincount(graph.edge_user, minlength=graph.users)[graph.edge_user]
            * torch.bincount(graph.edge_item, minlength=graph.items)[graph.edge_item]
        )
        self.register_buffer("edge_weight", degree.float().rsqrt(), persistent=False)
        self.edge_weight: Tensor

    def pruned(self) -> Tensor:
        """The normalised user–item graph of a sample of edges."""
        graph = self.embed.graph
        keep = max(1, round(len(self.edge_weight) * (1.0 - self.config.pruned)))
        kept = torch.multinomial(self.edge_weight, keep)
        return graph.normalised(graph.edge_user[kept], graph.edge_item[kept])

    def vectors(self, batch: Batch, items: Items) -> tuple[Tensor, Tensor]:
        """Vectors of the items' users and of the items, both (T, d)."""
        sampled = self.training and self.config.pruned > 0 and len(self.edge_weight) > 0
        user, item = self.embed(batch, items, self.pruned() if sampled else None)
        nodes = self.embed.layer_zero()[1]
        with torch.autocast(nodes.device.type, enabled=False):
            similar = torch.sparse.mm(self.similar, nodes.float())
        return user, item + self._similar_of(batch, items, nodes, similar)

    def _similar_of(self, batch: Batch, items: Items, nodes: Tensor, similar: Tensor) -> Tensor:
        """h_i (T, d) of the items."""
        if not len(nodes):
            return torch.zeros_like(self.embed.segment.targets(batch, items))
        node = self.embed.graph.node(batch.video[items.view], items.place)
        found = similar[node.clamp(min=0)]
        cold = torch.nonzero(node < 0).flatten()
        total = torch.zeros_like(found[cold])
        outside = items.take(cold)
        own = self.embed.segment.targets(batch, outside) if self.with_self else None
        for m in self.project:
            values, valid = batch_content(batch, outside, m)
            neighbour = nearest(
                values, valid, *self.content.of(m), self.config.neighbours - int(self.with_self), others=False
            )
            there = (neighbour >= 0)[..., None]
            around, count = (nodes[neighbour.clamp(min=0)] * there).sum(dim=1), there.sum(dim=1)
            if own is not None:
                around, count = around + own * valid[:, None], count + valid[:, None]
            total = total + around / count.clamp(min=1) / len(self.project)
        return found.index_put((cold,), total)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.vectors(batch, items)
        return (user * item).sum(dim=-1)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        user, item = self.vectors(batch, items)
        views = len(batch.user)
        total = pairwise_loss((user * item).sum(dim=-1).float(), label, items, views)
        for m, project in self.project.items():
            content = project(*batch_content(batch, items, m))
            by_content = pairwise_loss((user * content).sum(dim=-1).float(), label, items, views)
            total = total + self.config.content * by_content
        return total


class FREEDOM(MultimodalRecommender):
    """FREEDOM on users, watched segments and their content."""

    Config = FREEDOMConfig
    config: FREEDOMConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> FREEDOMNetwork:
        return FREEDOMNetwork(self.config, sizes, structure)
