"""Module 2, multi-modal user–video encoder: L layers of user–video cross-attention per modality."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Queries of one stream over the keys of both: X' = softmax([A_XY ; A_XX]) · [v(Y) ; v(X)].

    A_XY = q(X) · k(Y) and A_XX = q(X) · k(X), each direction with projections of its own, scaled by sqrt(d_head); one
    softmax runs over the concatenated keys of both streams (Eqs. 3–6; Eq. 5 prints A_VU where A_UU is meant).
    """

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.cross = nn.ModuleDict({n: nn.Linear(d, d) for n in ("query", "key", "value")})
        self.own = nn.ModuleDict({n: nn.Linear(d, d) for n in ("query", "key", "value")})

    def forward(self, x: Tensor, x_mask: Tensor, y: Tensor, y_mask: Tensor) -> Tensor:
        """New values (B, X, d) for the stream x (B, X, d), attending to y (B, Y, d) and x where masks are True."""
        query_y, key_y, value_y = self._split(self.cross, x, y)
        query_x, key_x, value_x = self._split(self.own, x, x)
        scale = query_x.shape[-1] ** -0.5
        logits = torch.cat([query_y @ key_y.transpose(-1, -2), query_x @ key_x.transpose(-1, -2)], dim=-1) * scale
        keys = torch.cat([y_mask, x_mask], dim=1)[:, None, None, :]
        # The smallest finite number instead of -inf: a row without any real key must not become NaN.
        weights = logits.masked_fill(~keys, torch.finfo(logits.dtype).min).softmax(dim=-1)
        mixed = (weights * keys) @ torch.cat([value_y, value_x], dim=-2)
        return mixed.transpose(1, 2).flatten(2)

    def _split(self, maps: nn.ModuleDict, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def heads(name: str, tokens: Tensor) -> Tensor:
            return maps[name](tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)

        return heads("query", queries), heads("key", keys), heads("value", keys)


class Stream(nn.Module):
    """One stream of a layer: attention, output projection, residual + LayerNorm; feed-forward, residual + LayerNorm."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = CrossAttention(d, heads)
        self.output = nn.Linear(d, d)
        self.norm = nn.LayerNorm(d)
        self.feed_forward = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * d, d))
        self.feed_norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, x_mask: Tensor, y: Tensor, y_mask: Tensor) -> Tensor:
        """(B, X, d) -> (B, X, d)."""
        x = self.norm(x + self.dropout(self.output(self.attention(x, x_mask, y, y_mask))))
        return self.feed_norm(x + self.dropout(self.feed_forward(x)))


class UserVideoLayer(nn.Module):
    """Both streams, side by side: each reads the other as it was before the layer."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.user = Stream(d, heads, dropout)
        self.video = Stream(d, heads, dropout)

    def forward(self, user: Tensor, user_mask: Tensor, video: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M, d), (B, N, d) -> the same shapes."""
        return self.user(user, user_mask, video, video_mask), self.video(video, video_mask, user, user_mask)


class UserVideoEncoder(nn.Module):
    """L layers; the last layer's video stream (B, N, d) is the latent score x_m of this modality."""

    def __init__(self, d: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(UserVideoLayer(d, heads, dropout) for _ in range(layers))

    def forward(self, user: Tensor, user_mask: Tensor, video: Tensor, video_mask: Tensor) -> Tensor:
        """Latent scores (B, N, d)."""
        *layers, last = self.layers
        for layer in layers:
            user, video = layer(user, user_mask, video, video_mask)
        # Nobody reads the last user stream, and histories are where the time goes.
        latent: Tensor = last.get_submodule("video")(video, video_mask, user, user_mask)
        return latent
