"""CAN (Bian et al., WSDM 2022, doi 10.1145/3488560.3498435)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import IdEmbedding, SegmentEmbedding, Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender
from segmodel.models.ranking import RankingConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class CANConfig(RankingConfig):
    """Settings of CAN."""

    search: ClassVar[Search] = {**RankingConfig.search, "history": (20, 10), "orders": (2, 1)}

    history: int = 20
    layers: int = 2
    micro_widths: tuple[int, ...] = (8, 4, 4)
    """Of the micro-MLP: the fed embedding's width, then its layers'."""
    orders: int = 2
    """Powers of the fed embedding."""


class CoActionUnit(nn.Module):
    """H(P_feed) = a micro-MLP whose weights and biases are the target's own embedding, cut to pieces.

    h_k = tanh(W_k h_{k-1} + b_k) with [W_k; b_k]_k reshaped from the target; the output joins all h_k. One application
    for each power P_feed^c, c = 1 … orders, summed (the paper's multi-order enhancement).
    """

    def __init__(self, widths: Sequence[int], orders: int) -> None:
        super().__init__()
        self.shapes = list(pairwise(widths))
        self.orders = orders
        self.target_width = sum(inputs * outputs + outputs for inputs, outputs in self.shapes)
        self.output_width = sum(widths[1:])

    def forward(self, target: Tensor, feed: Tensor) -> Tensor:
        """Targets (T, target_width) and fed embeddings (T, H, widths[0]) -> (T, H, output_width)."""
        total: Tensor | int = 0
        for order in range(1, self.orders + 1):
            total = total + self._once(target, feed**order)
        return torch.as_tensor(total)

    def _once(self, target: Tensor, h: Tensor) -> Tensor:
        at, outputs = 0, []
        for inputs, width in self.shapes:
            weight = target[:, at : at + inputs * width].unflatten(1, (inputs, width))
            bias = target[:, None, at + inputs * width : at + inputs * width + width]
            h = torch.tanh(h @ weight + bias)
            outputs.append(h)
            at += inputs * width + width
        return torch.cat(outputs, dim=-1)


class CANNetwork(ItemNetwork):
    """MLP on the fields, the mean history, and the co-actions of the target with the user and with the history.

    Co-actions with the history segments are averaged. Their embeddings are apart from those of the MLP. The paper puts
    them on DIEN; the history is pooled here, so that the figures tell what the co-action unit adds.
    """

    def __init__(self, config: CANConfig, sizes: Sizes) -> None:
        super().__init__()
        d, self.length, feed = config.d, config.history, config.micro_widths[0]
        self.embed = FieldEmbedding(sizes, d)
        self.unit = CoActionUnit(config.micro_widths, config.orders)
        self.induction = SegmentEmbedding(sizes, self.unit.target_width)
        self.user_feed = IdEmbedding(sizes.users, feed)
        self.history_feed = SegmentEmbedding(sizes, feed)
        width = (len(FIELDS) + 1) * d + 2 * self.unit.output_width
        self.deep = mlp([width, *[d] * config.layers, 1], config.dropout)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        target = self.induction.targets(batch, items)
        with_user = self.unit(target, self.user_feed(batch.user)[items.view][:, None])[:, 0]
        vectors, mask = self.history_feed.history(batch, self.length)
        each = self.unit(target, vectors[items.view]) * mask[items.view][..., None]
        with_history = each.sum(dim=1) / mask.sum(dim=1).clamp(min=1)[items.view][:, None]
        pooled = self.embed.history(batch, self.length).mean(items)
        x = torch.cat([self.embed(batch, items).flatten(1), pooled, with_user, with_history], dim=1)
        score: Tensor = self.deep(x)[:, 0]
        return score


class CAN(Recommender):
    """CAN on user, video, segment, length and the newest viewed segments."""

    Config = CANConfig
    config: CANConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> CANNetwork:
        return CANNetwork(self.config, sizes)
