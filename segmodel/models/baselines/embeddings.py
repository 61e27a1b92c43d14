"""Embeddings of ids and of segments, the same for every baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.baselines.items import Items

INITIAL_STD = 0.1


@dataclass(frozen=True)
class Sizes:
    """How many ids a network knows.

    Attributes
    ----------
    users, videos : int
        The unknown one, code 0, included.
    slots : int
        Positions, the end slot of the longest video included, and the place of all end slots where they have their own.
    dims : mapping of str to int
        Width of each content modality.
    """

    users: int
    videos: int
    slots: int
    dims: Mapping[str, int] = field(default_factory=dict)


class IdEmbedding(nn.Module):
    """A vector per id: one that all share plus each id's own; code 0, unknown in training, is the shared one alone."""

    def __init__(self, count: int, d: int) -> None:
        super().__init__()
        self.shared = nn.Parameter(torch.randn(d) * INITIAL_STD)
        self.own = nn.Embedding(count, d, padding_idx=0)
        with torch.no_grad():
            self.own.weight.normal_(std=INITIAL_STD)[0] = 0.0

    def forward(self, codes: Tensor) -> Tensor:
        """Codes of any shape -> (…, d)."""
        vectors: Tensor = self.shared + self.own(codes)
        return vectors


class SegmentEmbedding(nn.Module):
    """e(v, s) = video(v) + position(s)."""

    def __init__(self, sizes: Sizes, d: int) -> None:
        super().__init__()
        self.video = IdEmbedding(sizes.videos, d)
        self.position = nn.Embedding(sizes.slots, d)
        nn.init.normal_(self.position.weight, std=INITIAL_STD)

    def forward(self, video: Tensor, segment: Tensor) -> Tensor:
        """Codes and positions of one shape -> (…, d)."""
        vectors: Tensor = self.video(video) + self.position(segment)
        return vectors

    def targets(self, batch: Batch, items: Items) -> Tensor:
        """(T, d)"""
        return self(batch.video[items.view], items.place)

    def history(self, batch: Batch, length: int) -> tuple[Tensor, Tensor]:
        """The newest ``length`` viewed segments, oldest first: vectors (B, H, d), zeros on padding, and mask (B, H)."""
        short = (max(0, length - batch.history_mask.shape[1]), 0)
        mask, video, segment = (
            F.pad(column[:, -length:], short)
            for column in (batch.history_mask, batch.history_video, batch.history_segment)
        )
        return self(video, segment) * mask[..., None], mask


def mlp(widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear layers of the given widths, the input's first, with ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers += [nn.ReLU(), nn.Dropout(dropout)] if i else []
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)
