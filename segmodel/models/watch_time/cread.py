"""CREAD: classification, restoration, error-adaptive discretisation (Sun et al., AAAI 2024, arXiv 2401.07521).

Thresholds t_1 < ... < t_M stand at t_m = F^-1(g(m / M)), F the distribution of training watch times and
g(z) = (1 - exp(-a z)) / (1 - exp(-a)): equal counts for a -> 0, finer towards long watch times for larger a. M
classifiers give phi_m = P(T >= t_m), and the answer is restored as

    T_hat = sum_m phi_m (t_m - t_{m-1}),  t_0 = 0,
    L = cross-entropies + w_r Huber(T_hat, T) + w_o sum_m max(phi_{m+1} - phi_m, 0).

Huber's residual is in units of the training targets' deviation. The distribution is that of the phi_m, made to
descend, linear between thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.models.base import Arrays
from segmodel.models.settings import Search
from segmodel.models.watch_time.backbone import WatchBatch
from segmodel.models.watch_time.model import SHARE, WatchTimeConfig, WatchTimeModel
from segmodel.models.watch_time.thresholds import distribution_of, inner_thresholds
from segmodel.watch_distribution import WatchDistribution


@dataclass(frozen=True)
class CREADConfig(WatchTimeConfig):
    """Settings of CREAD."""

    search: ClassVar[Search] = {**WatchTimeConfig.search, "adaptation": (1.0, 0.01, 3.0), "restoration": (1.0, 0.1)}

    buckets: int = 30
    adaptation: float = 1.0
    """a of the discretisation."""
    restoration: float = 1.0
    """w_r."""
    order: float = 0.1
    """w_o."""


def adaptive_levels(buckets: int, adaptation: float) -> Float64:
    """g(m / M) for m = 1 .. M."""
    z = np.arange(1, buckets + 1) / buckets
    levels: Float64 = np.expm1(-adaptation * z) / np.expm1(-adaptation)
    return levels


def restored(phi: Tensor, thresholds: Tensor) -> Tensor:
    """T_hat (B,) from phi (B, M)."""
    return phi @ torch.diff(thresholds, prepend=thresholds.new_zeros(1))


def cread_loss(logits: Tensor, target: Tensor, scale: Arrays, restoration: float, order: float) -> Tensor:
    """Averaged over B views; the cross-entropies over thresholds, too, so that M does not weigh."""
    thresholds = torch.as_tensor(scale["thresholds"], dtype=logits.dtype, device=logits.device)
    reached = (target[:, None] >= thresholds).to(logits.dtype)
    phi, deviation = torch.sigmoid(logits), float(scale["deviation"][0])
    huber = F.huber_loss(restored(phi, thresholds) / deviation, target / deviation)
    rises = torch.relu(phi[:, 1:] - phi[:, :-1]).sum(dim=1).mean()
    return F.binary_cross_entropy_with_logits(logits, reached) + restoration * huber + order * rises


class CREAD(WatchTimeModel):
    """Threshold classifiers and their restoration."""

    Config = CREADConfig
    config: CREADConfig

    def learn_scale(self, views: Views) -> Arrays:
        target = self.targets(views)
        levels = adaptive_levels(self.config.buckets, self.config.adaptation)
        return {
            "thresholds": inner_thresholds(target, levels, self.config.target == SHARE),
            "deviation": np.array([max(float(target.std()), 1e-3)]),
        }

    def outputs(self) -> int:
        return len(self.scale["thresholds"])

    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        return cread_loss(output, batch.target, self.scale, self.config.restoration, self.config.order)

    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        phi, unit = torch.sigmoid(torch.from_numpy(output)), self.unit_s(views)
        expected: Float64 = restored(phi, torch.from_numpy(self.scale["thresholds"])).numpy() * unit
        return distribution_of(self.scale["thresholds"], phi.numpy(), unit, views.picture_s), expected
