"""The residual on the base hazard: attention over the user's last views, tastes in content, one state per view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Content
from segmodel.models.hazard.design import RESIDUAL_SCALE, Widths
from segmodel.models.hazard.features import SEGMENT_FEATURES
from segmodel.models.hazard.taste import ContentTaste, fast

AGE_FEATURES = 4


@dataclass(frozen=True, eq=False)
class HazardBatch:
    """B views; histories have B rows, or one that all views share (a user with many candidates is read once).

    Attributes
    ----------
    view, user : float32 (B, ·)
    token : float32 (B or 1, H, ·)
    age : float32 (B or 1, H, 4)
    token_mask : bool (B or 1, H)
    segment : float32 (B, S, 14)
    to_end : int64 (B, S)
        N - 1 - s, 0 on padding.
    offset : float32 (B, S)
        Log-odds of the base hazard, with what categories add.
    segments, exit : int64 (B,)
    content : Content or None
    evidence : float32 (B or 1, H', 3)
        left - h, h (1 - h) and h of each viewed segment; zero on padding.
    share : float
        How much of the whole batch these views are, of which other processes may have the rest.
    """

    view: Tensor
    user: Tensor
    token: Tensor
    age: Tensor
    token_mask: Tensor
    segment: Tensor
    to_end: Tensor
    offset: Tensor
    segments: Tensor
    exit: Tensor
    content: Content | None
    evidence: Tensor
    share: float = 1.0

    def to(self, device: str | torch.device) -> HazardBatch:
        """The same batch on a device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=True)
            if isinstance(value, Mapping):
                return {k: move(v) for k, v in value.items()}
            if isinstance(value, Content):
                return Content(*(move(getattr(value, f.name)) for f in fields(Content)))
            return value

        return replace(self, **{f.name: move(getattr(self, f.name)) for f in fields(self)})

    def of_member(self, k: int) -> HazardBatch:
        """What network ``k`` sees where the features are states (R, networks, heads, ·)."""
        if self.content is None:
            return self
        features = {m: x[:, k] for m, x in self.content.features.items()}
        return replace(self, content=replace(self.content, features=features))


class HistoryAttention(nn.Module):
    """The target's context attends to the last views; a null key lets it attend to nothing."""

    def __init__(self, w: Widths) -> None:
        super().__init__()
        d, self.heads = w.width, w.heads
        self.token = nn.Sequential(nn.Linear(w.token, d), nn.GELU(), nn.Linear(d, d))
        self.age = nn.Linear(AGE_FEATURES, d)
        self.norm = nn.LayerNorm(d)
        self.query, self.key, self.value = nn.Linear(w.view, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, view: Tensor, token: Tensor, age: Tensor, mask: Tensor) -> Tensor:
        """(B, width)"""
        x = self.norm(self.token(token) + self.age(age))
        x = x[0] if len(x) == 1 else x
        # One query meets many views: it is brought to them, instead of every view to a key, and values are made of each
        # head's mean view. The bias of a key still counts, beside the null key.
        query = self.query(view).unflatten(-1, (self.heads, -1))
        key, value = (f.weight.unflatten(0, (self.heads, -1)) for f in (self.key, self.value))
        bias = (query * self.key.bias.unflatten(0, (self.heads, -1))).sum(dim=-1, keepdim=True)
        logits = torch.einsum("bhk,hkd->bhd", query, key) @ x.transpose(-1, -2) + bias
        logits = (logits / math.sqrt(query.shape[-1])).masked_fill(~mask[:, None], torch.finfo(logits.dtype).min)
        null = logits.new_zeros((*logits.shape[:-1], 1))
        weights = torch.cat([logits, null], dim=-1).softmax(dim=-1)[..., :-1]
        found = torch.einsum("bhd,hkd->bhk", weights @ x, value)
        # What goes to the null key has no value, and no bias of one.
        shares = weights.sum(dim=-1, keepdim=True)
        return (found + shares * self.value.bias.unflatten(0, (self.heads, -1))).flatten(1)


class HazardNetwork(nn.Module):
    """logit h_s = base offset + state · segment + tastes.

    History and context make a state; its low-rank product with the segment's features is the residual on the base
    hazard.
    """

    def __init__(self, w: Widths, dims: Mapping[str, int]) -> None:
        super().__init__()
        d = w.width
        self.history = HistoryAttention(w)
        self.input, self.hidden = nn.Linear(w.view + w.user + d, d), nn.Linear(d, d)
        self.from_start = nn.Embedding(w.max_segments, w.position)
        self.from_end = nn.Embedding(w.max_segments, w.position)
        for embedding in (self.from_start, self.from_end):
            nn.init.normal_(embedding.weight, std=0.1)
        sizes = (w.taste_heads, w.taste_dim, w.input_dropout, w.taste_steps, w.taste_bounded)
        self.taste = nn.ModuleDict({m: ContentTaste(dim, *sizes) for m, dim in dims.items()})
        self.taste_weight = fast(torch.full((w.taste_heads,), 1.0 / w.taste_heads))
        self.state = nn.Linear(d, w.rank)
        self.segment = nn.Linear(SEGMENT_FEATURES + 2 * w.position + w.taste_heads * bool(dims), w.rank)
        self.dropout, self.input_dropout = nn.Dropout(w.dropout), nn.Dropout(w.input_dropout)

    def forward(self, batch: HazardBatch) -> Tensor:
        """Log-odds of the hazard (B, S); meaningless on padding."""
        context = self.history(batch.view, batch.token, batch.age, batch.token_mask)
        z = self.dropout(F.gelu(self.input(self.input_dropout(torch.cat([batch.view, batch.user, context], dim=1)))))
        z = z + self.dropout(F.gelu(self.hidden(z)))
        width = batch.offset.shape[1]
        start = self.from_start.weight[:width].expand(len(z), -1, -1)
        columns = [batch.segment, start, self.from_end(batch.to_end)]
        logit = batch.offset
        if batch.content is not None:
            taste = self._taste(batch, batch.content)
            columns.append(taste)
            logit = logit + taste @ self.taste_weight
        segment = self.segment(torch.cat(columns, dim=-1))
        return logit + RESIDUAL_SCALE * (self.state(z)[:, None] * segment).sum(dim=-1)

    def _taste(self, batch: HazardBatch, content: Content) -> Tensor:
        """(B, S, heads): the mean over the modalities that a segment has, so that missing ones are normal."""
        tastes, trusts = zip(
            *(
                module(content.features[m], content.valid[m], batch.evidence, content)
                for m, module in self.taste.items()
            ),
            strict=True,
        )
        total = sum(t * trust for t, trust in zip(tastes, trusts, strict=True))
        mean: Tensor = total / (sum(trusts) + 1e-6)
        return mean
