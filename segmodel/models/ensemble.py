"""The default network and the boosted trees, mixed: a weighted mean of their log-odds of leaving.

The weight is what maximises the likelihood of the validation views, as both parts predict them before they have learned
from them: the network's part from statistics of the training views alone, the trees from a fit on those views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import Views
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.base import Arrays, FitRun, SegmentModel, arrays_under
from segmodel.models.gbdt.model import GbdtConfig, GbdtHazard
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.model import HazardModel
from segmodel.models.hazard.rates import logit
from segmodel.models.settings import Ablations, Search
from segmodel.prediction import SkipPrediction, from_hazard
from segmodel.survival import slots_from_hazard

_PARTS = ("network", "trees")


@dataclass(frozen=True)
class EnsembleConfig(HazardConfig):
    """Settings of the network; of the trees, their number and size."""

    search: ClassVar[Search] = {**HazardConfig.search, "leaves": (8, 16)}
    ablations: ClassVar[Ablations] = {}

    trees: int = GbdtConfig.trees
    leaves: int = GbdtConfig.leaves


class Ensemble(SegmentModel):
    """logit h = w · logit h of the network + (1 - w) · logit h of the trees."""

    Config = EnsembleConfig
    config: EnsembleConfig

    def __init__(self, config: EnsembleConfig) -> None:
        super().__init__(config)
        c = config
        self.network = HazardModel(HazardConfig(**{f.name: getattr(c, f.name) for f in fields(HazardConfig)}))
        self.trees = self._make_trees()
        self.weight = 0.5

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        self.network.fit(data, split, run)
        silent = FitRun(run.seed, run.device)
        young = self._make_trees()
        young.fit(data, Split(split.train, split.valid[:0], split.test), silent)
        valid = data.take(split.valid)
        self.weight = mixing_weight(self.network.predict_valid(valid).hazard, young.predict(valid).hazard, valid.views)
        self.trees.fit(data, split, silent)

    def predict(self, data: Dataset) -> SkipPrediction:
        parts = (self.network.predict(data).hazard, self.trees.predict(data).hazard)
        return from_hazard(mixed(*parts, self.weight), data.views)

    def past_has_grown(self, before: Views, after: Views) -> None:
        self.network.past_has_grown(before, after)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts: dict[str, Any] = {"weight": self.weight}
        arrays: Arrays = {}
        for name in _PARTS:
            facts[name], own = getattr(self, name).state()
            arrays |= {f"{name}.{key}": array for key, array in own.items()}
        return facts, arrays

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.weight = float(facts["weight"])
        for name in _PARTS:
            getattr(self, name).restore(facts[name], arrays_under(arrays, name))

    def _make_trees(self) -> GbdtHazard:
        c = self.config
        return GbdtHazard(GbdtConfig(max_segments=c.max_segments, trees=c.trees, leaves=c.leaves))


def mixed(network: Float64, trees: Float64, weight: float) -> Float64:
    """(B, S) the hazard whose log-odds are the weighted mean of the two; 0 where both are."""
    hazard: Float64 = expit(weight * logit(network) + (1.0 - weight) * logit(trees))
    return np.where((network > 0) | (trees > 0), hazard, 0.0)


def mixing_weight(network: Float64, trees: Float64, views: Views) -> float:
    """The weight of the network in [0, 1] that predicts the ends of ``views`` best.

    Parameters
    ----------
    network, trees : float (B, S)
        Hazards that either gives the views, without having learned from them.
    views : Views
        B watched views.
    """

    def nll(weight: float) -> float:
        slots = slots_from_hazard(mixed(network, trees, weight), views.segments)
        return float(exit_nll(slots, views.exit).mean())

    return float(minimize_scalar(nll, bounds=(0.0, 1.0), method="bounded").x)
