"""D2Q: duration-deconfounded quantiles (Zhan et al., KDD 2022, doi 10.1145/3534678.3539092, section 4).

Views are split by duration into groups of equal count. Inside group k a watch time is its quantile there,
q = F_k(T); one network learns it, L = (q - q_hat)^2, and the answer is mapped back, T_hat = F_k^-1(q_hat). So what a
long video owes to its length is not taken for interest. F_k is the empirical distribution of the training views, equal
watch times sharing their mean rank.

It gives one number; the distribution is that of validation views with a like prediction (:mod:`.outcomes`).
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
from segmodel.models.watch_time.outcomes import learn_outcomes, outcomes_like
from segmodel.watch_distribution import WatchDistribution

LEVELS = np.linspace(0.0, 1.0, 201)
"""At which a group's quantiles are kept."""


@dataclass(frozen=True)
class D2QConfig(WatchTimeConfig):
    """Settings of D2Q, which has a scale of its own, so that ``target`` means nothing here."""

    search: ClassVar[Search] = {
        "duration_groups": (10, 5, 30),
        "learning_rate": WatchTimeConfig.search["learning_rate"],
    }

    duration_groups: int = 10


def group_quantiles(watch_s: Float64, group: np.ndarray, groups: int) -> Float64:
    """(groups, 201) watch times at :data:`LEVELS`: a value stands at its mean rank over the size of its group."""
    table = np.zeros((groups, len(LEVELS)))
    for k in range(groups):
        own = np.sort(watch_s[group == k])
        if len(own):
            table[k] = np.interp(LEVELS, (np.arange(len(own)) + 0.5) / len(own), own)
    return table


def ranks(watch_s: Float64, quantiles: Float64) -> Float64:
    """Quantile of watch times (B,) in one row of :func:`group_quantiles`; the middle of the levels that are equal."""
    values, first = np.unique(quantiles, return_index=True)
    last = len(quantiles) - 1 - np.unique(quantiles[::-1], return_index=True)[1]
    found: Float64 = np.interp(watch_s, values, (LEVELS[first] + LEVELS[last]) / 2)
    return found


class D2Q(WatchTimeModel):
    """Quantiles inside groups of like duration."""

    Config = D2QConfig
    config: D2QConfig

    def learn_scale(self, views: Views) -> Arrays:
        shares = np.arange(1, self.config.duration_groups) / self.config.duration_groups
        self.scale = {"duration_edges": np.unique(np.quantile(views.picture_s, shares))}
        groups = len(self.scale["duration_edges"]) + 1
        return {**self.scale, "watch_quantiles": group_quantiles(views.picture_watch_s, self.groups(views), groups)}

    def groups(self, views: Views) -> np.ndarray:
        return np.searchsorted(self.scale["duration_edges"], views.picture_s, side="right")

    def targets(self, views: Views) -> Float64:
        """Quantiles among the training views of like duration."""
        table, group = self.scale["watch_quantiles"], self.groups(views)
        found = np.empty(len(views))
        for k in np.unique(group):
            found[group == k] = ranks(views.picture_watch_s[group == k], table[k])
        return found

    def outputs(self) -> int:
        return 1

    def activate(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output)

    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        return ((output[:, 0] - batch.target) ** 2).mean()

    def settle(self, output: Float64, views: Views) -> Arrays:
        return learn_outcomes(self._expected_s(output, views), views)

    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        expected = self._expected_s(output, views)
        return outcomes_like(expected, views, self.scale), expected

    def _expected_s(self, output: Float64, views: Views) -> Float64:
        table = self.scale["watch_quantiles"][self.groups(views)]
        at = np.clip(output[:, 0], 0.0, 1.0) * (len(LEVELS) - 1)
        low = np.minimum(at.astype(np.int64), len(LEVELS) - 2)
        row = np.arange(len(views))
        found: Float64 = table[row, low] + (at - low) * (table[row, low + 1] - table[row, low])
        return found
