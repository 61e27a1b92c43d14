"""SLMRec (Tao et al., IEEE TMM 2023, doi 10.1109/TMM.2022.3187556)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.graph import GraphEmbedding
from segmodel.models.baselines.items import Items, one_watched_each
from segmodel.models.baselines.multimodal.content import (
    ContentProjection,
    MultimodalConfig,
    MultimodalRecommender,
    NodeContent,
    batch_content,
)
from segmodel.models.baselines.objectives import info_nce
from segmodel.models.baselines.recommender import ItemNetwork
from segmodel.models.settings import Search, one_of

IDS = "id"

TASKS = ("fac", "masking")
"""Self-supervision: alignment of modalities in fine and coarse spaces, or masked modalities and dropped features."""


@dataclass(frozen=True)
class SLMRecConfig(MultimodalConfig):
    """Settings of SLMRec."""

    search: ClassVar[Search] = {**MultimodalConfig.search, "layers": (2, 1), "contrast": (0.1, 0.01), "task": TASKS}
    before: ClassVar[Mapping[str, Any]] = {**MultimodalConfig.before, "task": "masking"}

    contrast: float = 0.1
    """Weight of the self-supervised task."""
    temperature: float = 0.2
    """Of both losses."""
    task: str = "fac"
    feature_dropout: float = 0.1
    """In the task ``masking``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("task", self.task, TASKS)


class FineAndCoarse(nn.Module):
    """The authors' FAC task: modalities of one item meet in spaces that grow coarser, ids first.

    x_1 = G_1 e_id meets F_1 e_m1; x_k+1 = G_k+1 x_k meets F_k+1 e_m(k+1); each meeting is InfoNCE on dot products, an
    item's own pair against those of the other items. As in the authors' code the last of several spaces has half the
    width.
    """

    def __init__(self, modalities: int, d: int) -> None:
        super().__init__()
        widths = [d] * modalities
        if modalities > 1:
            widths[-1] = max(1, d // 2)
        self.onward = nn.ModuleList(nn.Linear(a, b) for a, b in zip([d, *widths], widths, strict=False))
        self.meet = nn.ModuleList(nn.Linear(d, width) for width in widths)

    def forward(self, ids: Tensor, modalities: Sequence[Tensor], temperature: float) -> Tensor:
        """Loss of P items, each a vector (P, d) of its id and one of each modality."""
        x, total = ids, ids.new_zeros(())
        for onward, meet, vectors in zip(self.onward, self.meet, modalities, strict=True):
            x = onward(x)
            total = total + info_nce(x, meet(vectors), temperature, cosine=False)
        return total


class SLMRecNetwork(ItemNetwork):
    """A LightGCN per modality, ids being one; user and item are linear maps of all modalities side by side.

    Loss: InfoNCE of each user with the item watched, against the items of the other views of the batch, plus contrast
    times a self-supervised task. That is :class:`FineAndCoarse`; or ``masking``, the authors' FD + FM: two views of the
    graph, in each of which another modality is masked and features are dropped, and InfoNCE between the two views of
    a user, and of an item. Features are dropped before the propagation (the authors: after each layer).
    """

    def __init__(self, config: SLMRecConfig, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.config = config
        self.embed = GraphEmbedding(sizes, arrays, config.d, config.layers)
        self.content = NodeContent(sizes, arrays)
        self.project = nn.ModuleDict({m: ContentProjection(dim, config.d) for m, dim in sizes.dims.items()})
        self.spaces = (IDS, *sizes.dims)
        self.fuse_user = nn.Linear(len(self.spaces) * config.d, config.d)
        self.fuse_item = nn.Linear(len(self.spaces) * config.d, config.d)
        self.align = FineAndCoarse(len(sizes.dims), config.d) if config.task == "fac" else None

    def vectors(self, batch: Batch, items: Items, masked: str = "", dropout: float = 0.0) -> tuple[Tensor, Tensor]:
        """Vectors of the items' users and of the items, both (T, d); one modality may be masked, features dropped."""
        return self.fused(*self.by_space(batch, items, masked, dropout))

    def fused(self, users: Sequence[Tensor], items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What :meth:`by_space` returns, in the one space that scores."""
        return self.fuse_user(torch.cat(list(users), dim=-1)), self.fuse_item(torch.cat(list(items), dim=-1))

    def by_space(
        self, batch: Batch, items: Items, masked: str = "", dropout: float = 0.0
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The items' users and the items, (T, d) of each modality, ids first, after propagation."""
        users, items_ = [], []
        for space in self.spaces:
            user, node, alone = (F.dropout(v, dropout) for v in self._layer_zero(space, batch, items))
            if space == masked:
                node, alone = torch.zeros_like(node), torch.zeros_like(alone)
            user, node = self.embed.graph.propagate(user, node, self.config.layers)
            users.append(user[batch.user[items.view]])
            items_.append(self.embed.place(node, alone / (self.config.layers + 1), batch, items))
        return users, items_

    def _layer_zero(self, space: str, batch: Batch, items: Items) -> tuple[Tensor, Tensor, Tensor]:
        """Users (U, d), nodes (I, d), and the batch's items (T, d)."""
        users, nodes = self.embed.layer_zero()
        if space == IDS:
            return users, nodes, self.embed.segment.targets(batch, items)
        project = self.project[space]
        return users, project(*self.content.of(space)), project(*batch_content(batch, items, space))

    def forward(self, batch: Batch, items: Items) -> Tensor:
        user, item = self.vectors(batch, items)
        return (user * item).sum(dim=-1)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        watched = items.take(one_watched_each(items, label, len(batch.user)))
        if not len(watched.view):
            return sum((p.sum() * 0.0 for p in self.parameters()), torch.zeros((), device=batch.user.device))
        users, by_space = self.by_space(batch, watched)
        user, item = self.fused(users, by_space)
        main = info_nce(user, item, self.config.temperature)
        if self.align is not None:
            task = self.align(by_space[0], by_space[1:], self.config.temperature)
        else:
            task = self._masking(batch, watched)
        return main + self.config.contrast * task

    def _masking(self, batch: Batch, watched: Items) -> Tensor:
        # Each user once, so that no row has its own double among the negatives.
        _, which = torch.unique(batch.user[watched.view], return_inverse=True)
        rows = torch.arange(len(which), device=which.device)
        once = rows.new_zeros(int(which.max()) + 1).index_put((which,), rows)
        one, two = (self.spaces[i] for i in torch.randperm(len(self.spaces))[:2].tolist())
        users, others = zip(
            *(self.vectors(batch, watched, space, self.config.feature_dropout) for space in (one, two)), strict=True
        )
        by_user = info_nce(users[0][once], users[1][once], self.config.temperature)
        return by_user + info_nce(others[0], others[1], self.config.temperature)


class SLMRec(MultimodalRecommender):
    """SLMRec on users, watched segments and their content."""

    Config = SLMRecConfig
    config: SLMRecConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> SLMRecNetwork:
        return SLMRecNetwork(self.config, sizes, structure)
