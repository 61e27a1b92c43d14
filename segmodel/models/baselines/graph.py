"""The graph of users and the segments they watched, and networks that propagate embeddings along it.

Tensor letters: U users, I items in the graph, E edges, T items of a batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.data.dataset import Dataset
from segmodel.data.views import ragged
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import IdEmbedding, SegmentEmbedding, Sizes
from segmodel.models.baselines.items import Items


def watched_graph(data: Dataset, rows: np.ndarray, users: Vocabulary, videos: Vocabulary) -> Arrays:
    """Users and the segments they watched to the end, in the views ``rows``.

    Returns
    -------
    item_video, item_segment : int64 (I,)
        Video code and position of each item.
    edge_user, edge_item : int64 (E,)
        Distinct pairs.
    """
    views = data.views.take(rows)
    watched = np.minimum(views.exit, views.segments).astype(np.int64)
    view, segment = ragged(watched)
    user = users.table_codes(views.user_ids)[views.user[view]]
    video = videos.table_codes(views.video_ids)[views.video[view]]
    triples = np.unique(np.stack([video, segment, user]), axis=1) if len(view) else np.zeros((3, 0), np.int64)
    items, edge_item = np.unique(triples[:2], axis=1, return_inverse=True)
    return {
        "item_video": items[0],
        "item_segment": items[1],
        "edge_user": triples[2],
        "edge_item": edge_item.reshape(-1).astype(np.int64),
    }


class WatchedGraph(nn.Module):
    """The bipartite graph, and propagation along it. It is structure, not weights: nothing here is learned or saved."""

    def __init__(self, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        for name in ("item_video", "item_segment", "edge_user", "edge_item"):
            self.register_buffer(name, torch.from_numpy(np.asarray(arrays[name], np.int64).copy()), persistent=False)
        self.item_video: Tensor
        self.item_segment: Tensor
        self.edge_user: Tensor
        self.edge_item: Tensor
        self.users, self.items, self.slots = sizes.users, len(self.item_video), sizes.slots
        table = torch.full((sizes.videos * sizes.slots,), -1)
        table[self.item_video * sizes.slots + self.item_segment] = torch.arange(self.items)
        self.register_buffer("node_table", table, persistent=False)
        self.node_table: Tensor
        self.register_buffer("adjacency", self.normalised(self.edge_user, self.edge_item), persistent=False)
        self.adjacency: Tensor

    def node(self, video: Tensor, segment: Tensor) -> Tensor:
        """Which item of the graph a (video, segment) is; -1 where it is none."""
        return self.node_table[video * self.slots + segment]

    def normalised(self, user: Tensor, item: Tensor) -> Tensor:
        """D^-1/2 A D^-1/2 of the given edges, sparse (U + I, U + I)."""
        return symmetric(torch.cat([user, item + self.users]), torch.cat([item + self.users, user]), self.size)

    @property
    def size(self) -> int:
        """U + I"""
        return self.users + self.items

    def propagate(
        self, users: Tensor, items: Tensor, layers: int, adjacency: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean of layers 0 … K, where layer k + 1 = D^-1/2 A D^-1/2 · layer k; (U, d), (I, d) -> the same shapes."""
        layer = total = torch.cat([users, items]).float()
        along = self.adjacency if adjacency is None else adjacency
        # Sparse products know no half precision.
        with torch.autocast(layer.device.type, enabled=False):
            for _ in range(layers):
                layer = torch.sparse.mm(along, layer)
                total = total + layer
        mean = total / (layers + 1)
        return mean[: self.users], mean[self.users :]


def symmetric(row: Tensor, column: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """D_row^-1/2 W D_column^-1/2 as a sparse (size, size) matrix; weights of 1 where absent."""
    weight = torch.ones(len(row), device=row.device) if weight is None else weight
    row_sum = torch.zeros(size, device=row.device).index_add(0, row, weight)
    column_sum = torch.zeros(size, device=row.device).index_add(0, column, weight)
    values = weight * (row_sum[row] * column_sum[column]).clamp(min=1e-12).rsqrt()
    return sparse(torch.stack([row, column]), values, size)


def sparse(indices: Tensor, values: Tensor, size: int) -> Tensor:
    """A checked sparse (size, size) matrix."""
    with torch.sparse.check_sparse_tensor_invariants(enable=True):
        return torch.sparse_coo_tensor(indices, values, (size, size)).coalesce()


class GraphEmbedding(nn.Module):
    """User and segment embeddings, propagated along the graph.

    Items that are not in the graph, cold ones among them, are nodes without edges: layer 0 over K + 1.
    """

    def __init__(self, sizes: Sizes, arrays: Arrays, d: int, layers: int) -> None:
        super().__init__()
        self.graph = WatchedGraph(sizes, arrays)
        self.user = IdEmbedding(sizes.users, d)
        self.segment = SegmentEmbedding(sizes, d)
        self.layers = layers

    def layer_zero(self) -> tuple[Tensor, Tensor]:
        """(U, d), (I, d) before any propagation."""
        users = self.user(torch.arange(self.graph.users, device=self.graph.item_video.device))
        return users, self.segment(self.graph.item_video, self.graph.item_segment)

    def forward(self, batch: Batch, items: Items, adjacency: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Vectors of the items' users and of the items, both (T, d)."""
        users, nodes = self.graph.propagate(*self.layer_zero(), self.layers, adjacency)
        alone = self.segment.targets(batch, items) / (self.layers + 1)
        return users[batch.user[items.view]], self.place(nodes, alone, batch, items)

    def place(self, nodes: Tensor, alone: Tensor, batch: Batch, items: Items) -> Tensor:
        """(T, d): the node (I, d) of each item, or its ``alone`` (T, d) vector where it is no node."""
        node = self.graph.node(batch.video[items.view], items.place)
        if not len(nodes):
            return alone
        return torch.where((node >= 0)[:, None], nodes[node.clamp(min=0)], alone)


def store_rows(data: Dataset, rows: np.ndarray, videos: Vocabulary, arrays: Arrays) -> np.ndarray:
    """Segment row in the store of each item in the graph, -1 where it is not there."""
    views, store = data.views.take(rows), data.store
    if store is None:
        return np.full(len(arrays["item_video"]), -1)
    row_of = np.full(len(videos), -1, dtype=np.int64)
    row_of[videos.table_codes(views.video_ids)[views.video]] = views.store_row
    video = row_of[arrays["item_video"]]
    there = (video >= 0) & (arrays["item_segment"] < store.offset[video + 1] - store.offset[video])
    return np.where(there, store.offset[video] + arrays["item_segment"], -1)
