"""Weighted logistic regression (Covington, Adams and Sargin, RecSys 2016, doi 10.1145/2959100.2959190, section 4.2).

Positives weigh as much as they were watched, negatives 1; the odds that the model learns are then the expected watch
time: odds = sum of watch times / number of negatives = E[T]. A feed that plays by itself has no impression without a
play, so every view stands once as a positive of weight T and once as a negative of weight 1, which makes it exact:

    L = - T ln sigma(z) - ln(1 - sigma(z)),  dL/dz = 0  <=>  exp(z) = E[T].

It gives one number; the distribution is that of validation views with a like prediction (:mod:`.outcomes`).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.models.base import Arrays
from segmodel.models.watch_time.backbone import WatchBatch
from segmodel.models.watch_time.model import WatchTimeModel
from segmodel.models.watch_time.outcomes import learn_outcomes, outcomes_like
from segmodel.watch_distribution import WatchDistribution


def weighted_logistic_loss(z: Tensor, watch: Tensor) -> Tensor:
    """Averaged over views; z and watch times (B,)."""
    return (watch * F.softplus(-z) + F.softplus(z)).mean()


class WLR(WatchTimeModel):
    """Odds as expected watch time."""

    def learn_scale(self, views: Views) -> Arrays:
        return {}

    def outputs(self) -> int:
        return 1

    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        return weighted_logistic_loss(output[:, 0], batch.target)

    def settle(self, output: Float64, views: Views) -> Arrays:
        return learn_outcomes(self._expected_s(output, views), views)

    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        expected = self._expected_s(output, views)
        return outcomes_like(expected, views, self.scale), expected

    def _expected_s(self, output: Float64, views: Views) -> Float64:
        expected: Float64 = np.exp(np.minimum(output[:, 0], 20.0)) * self.unit_s(views)
        return expected
