"""Module 1, hybrid representation: per modality, user tokens U (B, M, d) and segment tokens V (B, N, d)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from segmodel.data.batch import Batch


class SlotPositions(nn.Module):
    """A vector for each slot of a view: that of its position or, for the end slot, one of its own where it has that."""

    def __init__(self, max_slots: int, d: int, own_end: bool) -> None:
        super().__init__()
        self.position = nn.Embedding(max_slots, d)
        self.end = nn.Parameter(torch.randn(d)) if own_end else None

    def of(self, batch: Batch, slots: int) -> Tensor:
        """(B, slots, d)"""
        position = self.position.weight[:slots].expand(len(batch.segments), -1, -1)
        if self.end is None:
            return position
        slot = torch.arange(slots, device=batch.segments.device)
        return torch.where((slot == batch.segments[:, None])[..., None], self.end, position)


class IdRepresentation(SlotPositions):
    """User: one id embedding. Segment i of video v: video-id embedding (d/2) beside position embedding (d/2).

    Ids unknown in training are zero vectors, so that they say nothing.
    """

    def __init__(self, users: int, videos: int, max_slots: int, d: int, own_end: bool = False) -> None:
        super().__init__(max_slots, d // 2, own_end)
        self.user = nn.Embedding(users, d, padding_idx=0)
        self.video = nn.Embedding(videos, d - d // 2, padding_idx=0)

    def forward(self, batch: Batch, slots: int, use_position: bool) -> tuple[Tensor, Tensor, Tensor]:
        """User tokens (B, 1, d), their mask (B, 1), slot tokens (B, slots, d)."""
        user = self.user(batch.user)[:, None, :]
        position = self.of(batch, slots)
        if not use_position:
            position = torch.zeros_like(position)
        video = self.video(batch.video)[:, None, :].expand(-1, slots, -1)
        tokens = torch.cat([video, position], dim=-1)
        return user, torch.ones_like(batch.user, dtype=torch.bool)[:, None], tokens


class ContentRepresentation(SlotPositions):
    """Projected features of the viewed and of the target segments, plus learned positions, then LayerNorm.

    Features are layer-normalised before the projection: their scale differs between encoders, and small features would
    drown under the position embeddings. Segments without such content share a learned vector.
    """

    def __init__(self, dim: int, max_slots: int, max_history: int, d: int, own_end: bool = False) -> None:
        super().__init__(max_slots, d, own_end)
        self.scale = nn.LayerNorm(dim, elementwise_affine=False)
        self.project = nn.Linear(dim, d)
        self.absent = nn.Parameter(torch.zeros(d))
        self.history_position = nn.Embedding(max_history, d)
        self.norm = nn.LayerNorm(d)
        self.history_norm = nn.LayerNorm(d)

    def forward(self, batch: Batch, modality: str, slots: int, use_position: bool) -> tuple[Tensor, Tensor, Tensor]:
        """User tokens (B, H, d), their mask (B, H), slot tokens (B, slots, d)."""
        valid = batch.content_valid[modality][:, None]
        rows = torch.where(valid, self.project(self.scale(batch.content[modality])), self.absent)
        # Embedding lookups: the gradient of plain indexing is summed in an order that varies between runs.
        history = nn.functional.embedding(batch.history_row, rows)
        # The end slot after the last segment, and padding, have no content: row 0.
        slot_row = nn.functional.pad(batch.segment_row, (0, slots - batch.segment_row.shape[1]))
        target = nn.functional.embedding(slot_row, rows)
        if use_position:
            target = target + self.of(batch, slots)
            history = history + self.history_position.weight[-history.shape[1] :]
        return self.history_norm(history), batch.history_mask, self.norm(target)
