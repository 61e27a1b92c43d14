"""CQE: conditional quantile estimation (Lin et al., 2024, arXiv 2407.12223).

The network gives N quantiles that cannot cross, q_i = sum_{j<=i} relu(h_j), at the levels i / (N + 1), learned by the
pinball loss (the h_j start around 1 and are in units that spread the first quantiles from 0 to twice the mean)

    L = sum_i max(l_i (T - q_i), (l_i - 1) (T - q_i)),

here averaged over i. Expected watch time is the paper's conditional expectation: the integral of the quantile function
over levels, linear between the quantiles and flat outside them. The distribution is that of the quantiles, linear
between them; those in the last 2 % of a video count as its end, since no quantile meets it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.models.base import Arrays
from segmodel.models.settings import Search
from segmodel.models.watch_time.backbone import WatchBatch
from segmodel.models.watch_time.model import WatchTimeConfig, WatchTimeModel
from segmodel.watch_distribution import WatchDistribution

NEAR_END = 0.98


@dataclass(frozen=True)
class CQEConfig(WatchTimeConfig):
    """Settings of CQE."""

    search: ClassVar[Search] = {**WatchTimeConfig.search, "quantiles": (50, 100)}

    quantiles: int = 50


def pinball_loss(quantiles: Tensor, target: Tensor) -> Tensor:
    """Averaged over B views and the N levels."""
    n = quantiles.shape[1]
    level = torch.arange(1, n + 1, dtype=quantiles.dtype, device=quantiles.device) / (n + 1)
    short = target[:, None] - quantiles
    return torch.maximum(level * short, (level - 1.0) * short).mean()


def expected_of_quantiles(quantiles: Float64) -> Float64:
    """Integral of the quantile function (B,), flat outside the first and last of N quantiles (B, N)."""
    ends = quantiles[:, 0] + quantiles[:, -1]
    between = (quantiles[:, :-1] + quantiles[:, 1:]).sum(axis=1) / 2.0
    found: Float64 = (ends + between) / (quantiles.shape[1] + 1)
    return found


class CQE(WatchTimeModel):
    """Quantiles that cannot cross."""

    Config = CQEConfig
    config: CQEConfig

    def learn_scale(self, views: Views) -> Arrays:
        return {"step": np.array([2.0 * self.targets(views).mean() / self.config.quantiles])}

    def outputs(self) -> int:
        return self.config.quantiles

    def activate(self, output: Tensor) -> Tensor:
        return torch.cumsum(torch.relu(1.0 + output), dim=1) * float(self.scale["step"][0])

    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        return pinball_loss(output, batch.target)

    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        end, n = views.picture_s[:, None], self.config.quantiles
        time = np.minimum(output * self.unit_s(views)[:, None], end)
        expected = expected_of_quantiles(time)
        time = np.where(time >= NEAR_END * end, end, time)
        level = np.broadcast_to(np.arange(1, n + 1) / (n + 1), time.shape)
        zero = np.zeros((len(views), 1))
        # What the last quantile leaves lies where it lies.
        time = np.concatenate([zero, time, time[:, -1:]], axis=1)
        return WatchDistribution.of_knots(time, np.concatenate([zero, level, zero + 1.0], axis=1), end[:, 0]), expected
