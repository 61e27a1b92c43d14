"""Module 3, segment interest decoder: bilinear fusion of the modalities and an inner-video position bias."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn


class BilinearFusion(nn.Module):
    """o = b + sum_i W_i x_i + sum_{i<j} sum_k x_i^(k)T W_k^{ij} x_j^(k), one output per segment.

    x^(k) are K slices of size d / K. The text prints a sigma around the sum (``bounded``); the public code has none.
    """

    def __init__(self, modalities: int, d: int, heads: int, bounded: bool = False) -> None:
        super().__init__()
        self.heads, self.bounded = heads, bounded
        self.bias = nn.Parameter(torch.zeros(()))
        self.linear = nn.Parameter(torch.randn(modalities, d) * d**-0.5)
        pairs, part = modalities * (modalities - 1) // 2, d // heads
        self.bilinear = nn.Parameter(torch.randn(pairs, heads, part, part) / part)

    def forward(self, latent: Sequence[Tensor]) -> Tensor:
        """Latent scores per modality, each (B, N, d) -> o (B, N); in (0, 1) if bounded."""
        total = self.bias + sum(x @ w for x, w in zip(latent, self.linear, strict=True))
        sliced = [x.unflatten(-1, (self.heads, -1)) for x in latent]
        for weight, (x, y) in zip(self.bilinear, combinations(sliced, 2), strict=True):
            total = total + torch.einsum("bnkp,kpq,bnkq->bn", x, weight, y)
        return torch.sigmoid(total) if self.bounded else total


class PositionBias(nn.Module):
    """w_i · i + b_i for the i-th slot, i = 1, 2, … (Eq. 7); outside any sigma, and zero at the start of training."""

    def __init__(self, max_slots: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_slots))
        self.bias = nn.Parameter(torch.zeros(max_slots))

    def forward(self, slots: int) -> Tensor:
        """(slots,)"""
        index = torch.arange(1, slots + 1, device=self.weight.device)
        return self.weight[:slots] * index + self.bias[:slots]


class SegmentInterestDecoder(nn.Module):
    """p_i = o_i + position bias."""

    def __init__(self, modalities: int, d: int, heads: int, max_slots: int, bounded: bool = False) -> None:
        super().__init__()
        self.fusion = BilinearFusion(modalities, d, heads, bounded)
        self.position = PositionBias(max_slots)

    def forward(self, latent: Sequence[Tensor], use_position: bool) -> Tensor:
        """Interest (B, N)."""
        o: Tensor = self.fusion(latent)
        return o + self.position(o.shape[1]) if use_position else o
