"""SASRec (Kang and McAuley, ICDM 2018, doi 10.1109/ICDM.2018.00035)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import INITIAL_STD, SegmentEmbedding, Sizes, mlp
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class SASRecConfig(RecommenderConfig):
    """Settings of SASRec."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "history": (30, 15), "layers": (2, 1)}

    history: int = 30
    layers: int = 2
    heads: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d % self.heads:
            raise ValueError(f"d = {self.d} must be a multiple of heads = {self.heads}")


class CausalBlock(nn.Module):
    """x + attention(LayerNorm(x)), then x + feed-forward(LayerNorm(x)); a token attends to itself and what lies before.

    Attention = softmax(Q K^T / sqrt(d_head)) V, the feed-forward acts on each token alone.
    """

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.feed_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.project, self.output = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.feed = mlp([d, d, d], dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, H, d) with real tokens where ``mask`` (B, H) -> (B, H, d)."""
        length = x.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        # A padding token attends to itself, so that no row of the softmax is empty.
        itself = torch.eye(length, dtype=torch.bool, device=x.device)
        allowed = (causal & mask[:, None, :]) | itself
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.project(self.norm(x)).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed[:, None])
        x = x + self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed(self.feed_norm(x)))


class SASRecNetwork(ItemNetwork):
    """score_i = F · e_i: F is the last token after causal self-attention over viewed segments plus positions.

    Trained with binary cross-entropy on the items of the view that follows the sequence.
    """

    def __init__(self, config: SASRecConfig, sizes: Sizes) -> None:
        super().__init__()
        self.length = config.history
        self.item = SegmentEmbedding(sizes, config.d)
        self.order = nn.Parameter(torch.randn(config.history, config.d) * INITIAL_STD)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(CausalBlock(config.d, config.heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d)

    def encode(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """States (B, H, d) of tokens (B, H, d), oldest first; each is blind to what comes after it."""
        x = self.dropout(tokens + self.order[-tokens.shape[1] :])
        for block in self.blocks:
            x = block(x, mask)
        states: Tensor = self.norm(x)
        return states

    def forward(self, batch: Batch, items: Items) -> Tensor:
        state = self.encode(*self.item.history(batch, self.length))[:, -1]
        return (state[items.view] * self.item.targets(batch, items)).sum(dim=-1)


class SASRec(Recommender):
    """SASRec on the newest viewed segments."""

    Config = SASRecConfig
    config: SASRecConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> SASRecNetwork:
        return SASRecNetwork(self.config, sizes)
