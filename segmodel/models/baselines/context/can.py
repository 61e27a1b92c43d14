"""CAN (Bian et al., WSDM 2022, doi 10.1145/3488560.3498435)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.context.dien import InterestEvolution, auxiliary_loss
from segmodel.models.baselines.embeddings import IdEmbedding, SegmentEmbedding, Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding, History
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.objectives import pointwise_loss
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search, one_of

BASES = ("dien", "pooling")
"""What reads the history beside the co-actions: DIEN, as in the paper, or the mean, which costs less."""

CO_ACTIONS = ("concatenated", "summed")
"""How orders join: side by side, after a linear last layer, as in the authors' code; or summed, all under tanh."""


@dataclass(frozen=True)
class CANConfig(RecommenderConfig):
    """Settings of CAN."""

    search: ClassVar[Search] = {
        **RecommenderConfig.search,
        "history": (20, 10),
        "orders": (2, 1),
        "base": BASES,
    }
    before: ClassVar[Mapping[str, Any]] = {**RecommenderConfig.before, "base": "pooling", "co_action": "summed"}

    history: int = 20
    layers: int = 2
    micro_widths: tuple[int, ...] = (8, 4, 4)
    """Of the micro-MLP: the fed embedding's width, then its layers'."""
    orders: int = 2
    """Powers of the fed embedding."""
    co_action: str = "concatenated"
    base: str = "dien"
    auxiliary: float = 0.5
    """Weight of DIEN's auxiliary loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("base", self.base, BASES)
        one_of("co_action", self.co_action, CO_ACTIONS)


class CoActionUnit(nn.Module):
    """H(P_feed) = a micro-MLP whose weights and biases are the target's own embedding, cut to pieces.

    h_k = tanh(W_k h_{k-1} + b_k), the last layer without tanh, with [W_k; b_k]_k reshaped from the target; the output
    joins all h_k. One application for each power P_feed^c, c = 1 … orders, side by side (the paper's multi-order
    enhancement). Or, ``summed``: tanh on the last layer, too, and the applications added up.
    """

    def __init__(self, widths: Sequence[int], orders: int, summed: bool = False) -> None:
        super().__init__()
        self.shapes = list(pairwise(widths))
        self.orders, self.summed = orders, summed
        self.target_width = sum(inputs * outputs + outputs for inputs, outputs in self.shapes)
        self.output_width = sum(widths[1:]) * (1 if summed else orders)

    def forward(self, target: Tensor, feed: Tensor) -> Tensor:
        """Targets (T, target_width) and fed embeddings (T, H, widths[0]) -> (T, H, output_width)."""
        each = [self._once(target, feed**order) for order in range(1, self.orders + 1)]
        return torch.stack(each).sum(dim=0) if self.summed else torch.cat(each, dim=-1)

    def _once(self, target: Tensor, h: Tensor) -> Tensor:
        at, outputs = 0, []
        for layer, (inputs, width) in enumerate(self.shapes, start=1):
            weight = target[:, at : at + inputs * width].unflatten(1, (inputs, width))
            bias = target[:, None, at + inputs * width : at + inputs * width + width]
            h = h @ weight + bias
            if self.summed or layer < len(self.shapes):
                h = torch.tanh(h)
            outputs.append(h)
            at += inputs * width + width
        return torch.cat(outputs, dim=-1)


class CANNetwork(ItemNetwork):
    """MLP on the fields, what the base reads in the history, and the co-actions of the target with user and history.

    Co-actions with the history segments are averaged (the authors add them up), so that they do not grow with the
    history. Their embeddings are apart from those of the MLP.
    """

    def __init__(self, config: CANConfig, sizes: Sizes) -> None:
        super().__init__()
        d, self.length, feed = config.d, config.history, config.micro_widths[0]
        self.embed = FieldEmbedding(sizes, d)
        self.unit = CoActionUnit(config.micro_widths, config.orders, config.co_action == "summed")
        self.induction = SegmentEmbedding(sizes, self.unit.target_width)
        self.user_feed = IdEmbedding(sizes.users, feed)
        self.history_feed = SegmentEmbedding(sizes, feed)
        self.base = InterestEvolution(d) if config.base == "dien" else None
        self.auxiliary = config.auxiliary
        width = (len(FIELDS) + 1) * d + 2 * self.unit.output_width
        self.deep = mlp([width, *[d] * config.layers, 1], config.dropout)

    def co_actions(self, batch: Batch, items: Items) -> Tensor:
        """Of each target with its user, and on average with the history's segments, (T, 2 · output_width)."""
        target = self.induction.targets(batch, items)
        with_user = self.unit(target, self.user_feed(batch.user)[items.view][:, None])[:, 0]
        vectors, mask = self.history_feed.history(batch, self.length)
        each = self.unit(target, vectors[items.view]) * mask[items.view][..., None]
        with_history = each.sum(dim=1) / mask.sum(dim=1).clamp(min=1)[items.view][:, None]
        return torch.cat([with_user, with_history], dim=1)

    def score(self, batch: Batch, items: Items, history: History, states: Tensor | None) -> Tensor:
        """Scores (T,); ``states`` are the base's, if it has any."""
        if self.base is None or states is None:
            read = history.mean(items)
        else:
            read = self.base.evolved(history, states, self.embed.target(batch, items), items)
        x = torch.cat([self.embed(batch, items).flatten(1), read, self.co_actions(batch, items)], dim=1)
        score: Tensor = self.deep(x)[:, 0]
        return score

    def forward(self, batch: Batch, items: Items) -> Tensor:
        history = self.embed.history(batch, self.length)
        return self.score(batch, items, history, self.base.interests(history) if self.base else None)

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        history = self.embed.history(batch, self.length)
        states = self.base.interests(history) if self.base else None
        click = pointwise_loss(self.score(batch, items, history, states).float(), label)
        return click if states is None else click + self.auxiliary * auxiliary_loss(states, history)


class CAN(Recommender):
    """CAN on user, video, segment, length and the newest viewed segments."""

    Config = CANConfig
    config: CANConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> CANNetwork:
        return CANNetwork(self.config, sizes)
