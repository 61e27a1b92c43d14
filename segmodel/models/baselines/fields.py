"""Fields: what click models see of an item, one embedding per field, and the user's history.

Tensor letters: B views, T items, F fields, H history segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch
from segmodel.models.baselines.embeddings import INITIAL_STD, IdEmbedding, SegmentEmbedding, Sizes
from segmodel.models.baselines.items import Items

FIELDS = ("user", "video", "segment", "length")
"""``length`` is the number of segments N of the video."""


def field_codes(batch: Batch, items: Items) -> Tensor:
    """Code of each field of each item, (T, F)."""
    view = items.view
    return torch.stack([batch.user[view], batch.video[view], items.place, batch.segments[view]], dim=1)


@dataclass(frozen=True, eq=False)
class History:
    """The newest viewed segments of each view.

    Attributes
    ----------
    vectors : float (B, H, d)
        Oldest first, zeros on padding.
    mask : bool (B, H)
    """

    vectors: Tensor
    mask: Tensor

    def of(self, items: Items) -> tuple[Tensor, Tensor]:
        """Vectors (T, H, d) and mask (T, H) of each item's view."""
        return self.vectors[items.view], self.mask[items.view]

    def mean(self, items: Items) -> Tensor:
        """Mean vector (T, d) of each item's view; zeros without history."""
        count = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
        return (self.vectors.sum(dim=1) / count)[items.view]


class FieldEmbedding(nn.Module):
    """One d-dimensional embedding per field; a history segment is its video's plus its position's."""

    def __init__(self, sizes: Sizes, d: int) -> None:
        super().__init__()
        self.user = IdEmbedding(sizes.users, d)
        self.item = SegmentEmbedding(sizes, d)
        self.length = nn.Embedding(sizes.slots, d)
        nn.init.normal_(self.length.weight, std=INITIAL_STD)

    def forward(self, batch: Batch, items: Items) -> Tensor:
        """(T, F, d), fields in the order of :data:`FIELDS`."""
        user, video, segment, length = field_codes(batch, items).unbind(dim=1)
        return torch.stack(
            [self.user(user), self.item.video(video), self.item.position(segment), self.length(length)], dim=1
        )

    def target(self, batch: Batch, items: Items) -> Tensor:
        """(T, d): video plus position, as history segments are embedded."""
        return self.item.targets(batch, items)

    def history(self, batch: Batch, length: int) -> History:
        """The newest ``length`` viewed segments."""
        return History(*self.item.history(batch, length))
