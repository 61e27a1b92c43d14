"""Comparison: several models on the same views, each with its paired distance to one reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.types import Float64
from segmodel.evaluation.bootstrap import DRAWS, Interval, seed_intervals
from segmodel.evaluation.evaluation import Evaluation, jsonable
from segmodel.evaluation.view_metrics import METRICS, POOLED

if TYPE_CHECKING:
    import pandas as pd


Outcomes = Mapping[str, Mapping[str, Sequence[Evaluation]]]
"""Model -> cut -> one evaluation per seed, all of a cut on the same views."""

GROUPS = ("all", "warm video", "cold video", "warm user", "cold user")
ALL_CUTS = "all cuts"


@dataclass(frozen=True)
class Figure:
    """One metric of one model on one group of views.

    Attributes
    ----------
    model, cut, group, metric : str
    views, users : int
        That the metric counts.
    seeds : int
    mean, std : float
        Over seeds; ``std`` is NaN for a single one.
    difference, low, high : float
        Mean paired difference to the reference, and its 95 % interval from resampling users and trainings; NaN for the
        reference and for measures that views do not have one by one.
    p : float
        Two-sided, of that difference; NaN where there is none, and in comparisons written before it was there.
    """

    model: str
    cut: str
    group: str
    metric: str
    views: int
    users: int
    seeds: int
    mean: float
    std: float
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """All figures of a comparison, in the order of its models."""

    reference: str
    figures: tuple[Figure, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row per figure."""
        import pandas as pd

        return pd.DataFrame([asdict(f) for f in self.figures])

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain content."""
        return {"reference": self.reference, "figures": [jsonable(asdict(f)) for f in self.figures]}

    def table(self, cut: str, group: str = "all") -> dict[str, dict[str, Figure]]:
        """Model -> metric -> figure."""
        found: dict[str, dict[str, Figure]] = {}
        for f in self.figures:
            if (f.cut, f.group) == (cut, group):
                found.setdefault(f.model, {})[f.metric] = f
        return found

    @property
    def cuts(self) -> list[str]:
        """The cuts in order, all of them together last."""
        return list(dict.fromkeys(f.cut for f in self.figures))


def compare_outcomes(outcomes: Outcomes, reference: str, draws: int = DRAWS) -> Comparison:
    """Set models side by side.

    Means are over seeds; intervals are over users and seeds (:func:`~segmodel.evaluation.bootstrap.seed_intervals`).
    Cuts together are all their views, a user being the same one in each.

    Parameters
    ----------
    outcomes : model -> cut -> evaluations
    reference : str
        One of the models.
    draws : int
        Bootstrap samples.

    Raises
    ------
    ValueError
        If the reference is no model here or was not evaluated on a cut, or evaluations of a cut are on different views.
    """
    if reference not in outcomes:
        raise ValueError(f"unknown reference {reference!r}; valid are {', '.join(outcomes)}")
    cuts = list(dict.fromkeys(cut for by_cut in outcomes.values() for cut in by_cut))
    _check(outcomes, reference, cuts)
    figures: list[Figure] = []
    for name, members in [*((cut, [cut]) for cut in cuts), (ALL_CUTS, cuts)][: len(cuts) + (len(cuts) > 1)]:
        here = {m: [by_cut[c] for c in members] for m, by_cut in outcomes.items() if all(c in by_cut for c in members)}
        for group in GROUPS:
            figures += _figures(here, reference, name, group, draws)
    return Comparison(reference, tuple(figures))


def _check(outcomes: Outcomes, reference: str, cuts: Sequence[str]) -> None:
    for cut in cuts:
        if cut not in outcomes[reference]:
            raise ValueError(f"the reference {reference} was not evaluated on {cut!r}")
        wanted = outcomes[reference][cut][0].views
        for model, by_cut in outcomes.items():
            for found in by_cut.get(cut, ()):
                same = len(found.views) == len(wanted) and (found.views.time_ms == wanted.time_ms).all()
                if not same or (found.views.exit != wanted.exit).any():
                    raise ValueError(f"{model} and {reference} were evaluated on different views ({cut})")


def _figures(
    models: Mapping[str, list[Sequence[Evaluation]]], reference: str, cut: str, group: str, draws: int
) -> list[Figure]:
    """Figures of one set of cuts and one group of views."""
    masks = [seeds[0].groups[group] for seeds in models[reference]]
    if not sum(int(mask.sum()) for mask in masks):
        return []
    user = np.concatenate(
        [
            s[0].views.user_ids[s[0].views.user][mask].astype(str)
            for s, mask in zip(models[reference], masks, strict=True)
        ]
    )
    values = {m: _values(cuts, masks) for m, cuts in models.items()}
    others = [m for m in models if m != reference]
    intervals = seed_intervals([values[m] for m in others], values[reference], user, draws)
    distance = {
        (model, metric): interval
        for model, row in zip(others, intervals, strict=True)
        for metric, interval in zip(METRICS, row, strict=True)
    }
    figures = []
    for model, cuts in models.items():
        for j, metric in enumerate(METRICS):
            column = values[model][:, :, j]
            counted = ~np.isnan(column[0])
            means = [float(seed[counted].mean()) if counted.any() else float("nan") for seed in column]
            there = (int(counted.sum()), len(np.unique(user[counted])), len(column))
            gap = distance.get((model, metric), Interval(float("nan"), float("nan"), float("nan")))
            figures.append(
                Figure(model, cut, group, metric, *there, *spread(means), gap.mean, gap.low, gap.high, gap.p)
            )
        for metric, measure in POOLED.items():
            per_seed = [
                float(np.mean([measure(e.metrics, m) for e, m in zip(column, masks, strict=True)]))
                for column in zip(*cuts, strict=False)
            ]
            there = (len(user), len(np.unique(user)), len(per_seed))
            figures.append(Figure(model, cut, group, metric, *there, *spread(per_seed)))
    return figures


def _values(cuts: Sequence[Sequence[Evaluation]], masks: Sequence[np.ndarray]) -> Float64:
    """(seeds, views, metrics) over the views of all cuts; only as many seeds as every cut has."""
    return np.stack(
        [
            np.concatenate(
                [
                    np.stack([e.metrics.values(name)[mask] for name in METRICS], axis=1)
                    for e, mask in zip(column, masks, strict=True)
                ]
            )
            for column in zip(*cuts, strict=False)
        ]
    )


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds; NaN for that of a single one."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
