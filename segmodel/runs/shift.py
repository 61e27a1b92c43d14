"""Shift: what it costs a model not to have been trained on the kind of views that it meets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.types import Bool, Float64
from segmodel.data.splits import LEAVE_OUT, VALID_SHARE
from segmodel.data.views import Rows, Views
from segmodel.evaluation.bootstrap import Interval, user_interval
from segmodel.evaluation.evaluation import evaluate
from segmodel.evaluation.slices import LEAST_USERS, LEAST_VIEWS
from segmodel.runs.config import run_config
from segmodel.runs.data import RunData, open_data
from segmodel.runs.kinds import view_values, views_with
from segmodel.runs.run import Run
from segmodel.runs.sweep import Progress, fit_grid

if TYPE_CHECKING:
    import pandas as pd

MODELS = ("hazard", "gbdt-hazard", "duration-position")
"""The default model, a tabular one, and one that knows nothing but the length."""

MOST_VALUES = 10
"""Of a source, the values with the most test views: each takes a training per model."""


@dataclass(frozen=True)
class ShiftFigure:
    """A model on the test views that have one value, trained with such views and without.

    Attributes
    ----------
    value, model : str
    views, users : int
    nll_with, nll_without : float
        Mean negative log-likelihood of the true exit, in nats.
    cost : Interval
        ``nll_without - nll_with``, with its 95 % interval from resampling users: above 0, leaving the value out costs.
    """

    value: str
    model: str
    views: int
    users: int
    nll_with: float
    nll_without: float
    cost: Interval


@dataclass(frozen=True)
class ShiftTable:
    """Values by models; the value that costs the first model most comes first.

    Attributes
    ----------
    name : str
        What the values are of.
    figures : tuple of ShiftFigure
        The models of a value together.
    small : int
        Values left out because they, or what remains without them, have too few views or users.
    further : int
        Values beyond the most frequent ones.
    """

    name: str
    figures: tuple[ShiftFigure, ...]
    small: int
    further: int

    def to_frame(self) -> pd.DataFrame:
        """One row per value and model."""
        import pandas as pd

        rows = [{k: v for k, v in asdict(f).items() if k != "cost"} for f in self.figures]
        costs = [{"cost": f.cost.mean, "low": f.cost.low, "high": f.cost.high} for f in self.figures]
        return pd.DataFrame([{**row, **cost} for row, cost in zip(rows, costs, strict=True)])


def measure_shift(
    store: str | Path,
    name: str,
    folder: str | Path,
    *,
    models: Sequence[str] = MODELS,
    options: Mapping[str, Any] | None = None,
    cut: float = 0.9,
    seed: int = 0,
    most: int = MOST_VALUES,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ShiftTable:
    """Train models with everything and without each value; test both on the same views, those that have the value.

    The test views are those of the temporal split, so that neither training has seen them. At their time a user's
    history may hold views that have the value, as it would in service: what is left out is left out of training alone.
    Trainings that stand finished in ``folder`` are not done again.

    Parameters
    ----------
    store : path
    name : str
        One source of values, as :func:`segmodel.runs.kinds.view_values` reads it.
    folder : path
        Of the runs.
    models : sequence of str
        Of the registry; the first decides the order.
    options : mapping, optional
        Run options that all models share.
    cut : float
        Where test windows start, as a share of each user's views.
    seed, most : int
    device : str
    progress : callable, optional
        Receives a line before each training.

    Raises
    ------
    ValueError
        For a name that is nothing or several columns, values of which none has enough views, or wrong options.
    """
    options = dict(options or {})
    common = {**options, "train_share": round(cut - VALID_SHARE, 9), "seed": seed}
    data = open_data(run_config(store, {**common, "model": models[0]}))
    kept, small, further = _values(data, name, most)
    variants: dict[str, dict[str, Any]] = {model: {**options, "model": model} for model in models}
    for value in kept:
        for model in models:
            variants[_folder(model, name, value)] = {**variants[model], "split": f"{LEAVE_OUT} {name}={value}"}
    runs = fit_grid(store, variants, folder, cuts=(cut,), seeds=(seed,), device=device, progress=progress)
    test = data.split.test
    whole = {model: _nll(runs[model][0], data, test) for model in models}
    costs = [
        [
            _figure(value, model, data.dataset.views.take(rows), whole[model][np.isin(test, rows)], without)
            for model in models
            for without in [_nll(runs[_folder(model, name, value)][0], data, rows)]
        ]
        for value, rows in kept.items()
    ]
    costs.sort(key=lambda row: -row[0].cost.mean)
    return ShiftTable(name, tuple(figure for row in costs for figure in row), small, further)


def _values(data: RunData, name: str, most: int) -> tuple[dict[str, Rows], int, int]:
    """The test rows of each value worth leaving out, how many values are too small, and how many too many."""
    views = data.dataset.views
    columns = view_values(name, views, data.store, data.own_log)
    if len(columns) > 1:
        raise ValueError(f"--by {name}: names {len(columns)} columns; give one")
    kinds = views_with(next(iter(columns.values())))
    testing: Bool = np.zeros(len(views), dtype=bool)
    testing[data.split.test] = True
    big = {
        value: np.flatnonzero(mask & testing)
        for value, mask in kinds.items()
        if _big(views, mask & testing) and all(_big(views, rows) for rows in _remaining(data, mask))
    }
    if not big:
        raise ValueError(
            f"{name}: none of its {len(kinds):,} values has {LEAST_VIEWS} test views of {LEAST_USERS} users "
            "and leaves as many to train and validate on"
        )
    kept = sorted(big, key=lambda value: -len(big[value]))[:most]
    return {value: big[value] for value in kept}, len(kinds) - len(big), len(big) - len(kept)


def _remaining(data: RunData, left_out: Bool) -> list[Rows]:
    return [rows[~left_out[rows]] for rows in (data.split.train, data.split.valid)]


def _big(views: Views, rows: Bool | Rows) -> bool:
    users = views.user[rows]
    return len(users) >= LEAST_VIEWS and len(np.unique(users)) >= LEAST_USERS


def _folder(model: str, name: str, value: str) -> str:
    """A name that any file system takes, another one for each name and value."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", value).strip("-.")[:40]
    return f"{model}-without-{words}-{hashlib.sha256(f'{name}={value}'.encode()).hexdigest()[:8]}"


def _nll(run: Run, data: RunData, rows: Rows) -> Float64:
    test = data.dataset.take(rows)
    return evaluate(run.model.predict(test), test.views, data.train_views, data.config.max_segments).metrics.nll


def _figure(value: str, model: str, views: Views, whole: Float64, without: Float64) -> ShiftFigure:
    user = views.user_ids[views.user].astype(str)
    cost = user_interval(without - whole, user)
    return ShiftFigure(value, model, len(views), len(np.unique(user)), float(whole.mean()), float(without.mean()), cost)
