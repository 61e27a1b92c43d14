"""HeldOut: the views that measure a run, and the simple models that are measured beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset
from segmodel.data.parts import TRAIN
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.evaluation import Evaluation, evaluate, groups_by, joined_evaluations
from segmodel.evaluation.markdown import HEADLINES
from segmodel.evaluation.view_metrics import view_metrics
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel, Unadaptable
from segmodel.prediction import SkipPrediction
from segmodel.runs.config import RunConfig
from segmodel.runs.data import RunData
from segmodel.runs.predictor import Predictor
from segmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

POSITION_BASELINES = (
    "random",
    "all-position",
    "user-position",
    "item-position",
    "duration-position",
    "duration-user-position",
)
"""References that are fitted in an instant."""

BASELINES = (*POSITION_BASELINES, "gbdt-hazard")
"""All references, the strong tabular one last."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Views to measure models on, and what the models may learn from.

    Attributes
    ----------
    run_data : RunData
        Of the run: baselines are fitted on its training views, which also decide who is cold.
    data : Dataset
        The views to predict, with their histories.
    log : Interactions
        Where the views are from: ``data.views.log_row`` are rows of it.
    trained_on : int
        How many of the views in ``data`` are training views; more than 0 makes figures too good.
    dropped : int
        Views left out because their watch time is unknown.
    foreign : bool
        Whether the log in ``run_data`` is another one than the run was trained on.
    adapted : bool
        Whether the run's model has learned the statistics of that log's training views, with its weights as they are.
    """

    run_data: RunData
    data: Dataset
    log: Interactions
    trained_on: int = 0
    dropped: int = 0
    foreign: bool = False
    adapted: bool = False

    def evaluate(self, model: SegmentModel) -> Evaluation:
        """Predict all views and hold them against what happened."""
        return self.judge(model.predict(self.data))

    def judge(self, prediction: SkipPrediction) -> Evaluation:
        """Hold a prediction of the views against what happened."""
        return evaluate(prediction, self.data.views, self.run_data.train_views, self.run_data.config.max_segments)

    def baseline(self, name: str, seed: int = 0) -> Evaluation:
        """Fit a model of the registry with its default settings on the run's training views, and evaluate it."""
        return self.evaluate(_fitted(name, self.run_data, seed))


def held_out(run_data: RunData, log: Interactions | None = None) -> HeldOut:
    """The views that measure a run: its own test views, or other ones.

    Parameters
    ----------
    run_data : RunData
    log : Interactions, optional
        Views to measure on instead; earlier ones are history for later ones, as are the run's log and further history.

    Raises
    ------
    ValueError
        If there is no log, or no view is left to measure on.
    """
    if log is not None:
        pairs = run_data.pairs(log)
        data, rows = pairs.data, pairs.asked
    elif run_data.history is not None:
        pairs = run_data.test_pairs()
        data, rows = pairs.data, pairs.asked
    else:
        data, rows = run_data.dataset.take(run_data.split.test), run_data.own_log
    watched = data.views.watched
    if not watched.any():
        reasons = ", ".join(f"{n:,} × {r}" for r, n in data.views.dropped.items())
        raise ValueError(f"no view to evaluate on; rows left out: {reasons or 'none'}")
    seen = 0 if log is None else len({*run_data.train_views.keys}.intersection(data.views.keys))
    if not watched.all():
        data = data.take(np.flatnonzero(watched))
    return HeldOut(run_data, data, rows, seen, int((~watched).sum()))


@dataclass(frozen=True, eq=False)
class Measured:
    """A run and simple models, measured on the same views.

    Attributes
    ----------
    name : str
        Of the run, among ``evaluations``.
    evaluations : model -> Evaluation
        The run first.
    config : RunConfig
        Of the run.
    """

    name: str
    evaluations: dict[str, Evaluation]
    config: RunConfig

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.evaluations)} on {len(self.own.views):,} views>"

    @property
    def own(self) -> Evaluation:
        """The run's evaluation."""
        return self.evaluations[self.name]

    @property
    def warnings(self) -> list[str]:
        """Why the figures may not be what they seem."""
        if self.config.split == "random":
            return ["the run's random split leaks the future into training; figures are too good"]
        return []

    def to_frame(self) -> pd.DataFrame:
        """One row per model, group of views and metric: columns model, group, metric, value."""
        import pandas as pd

        rows = [
            (model, group, metric, value)
            for model, evaluation in self.evaluations.items()
            for group, summary in evaluation.summaries().items()
            for metric, value in summary.items()
        ]
        return pd.DataFrame(rows, columns=["model", "group", "metric", "value"])

    def _repr_html_(self) -> str:
        shown = [*(m.name for m in HEADLINES), "xauc", "watch_error_s"]
        table = self.to_frame().query("group == 'all'").pivot_table("value", "model", "metric")
        return str(table.loc[list(self.evaluations), shown].round(4).to_html())


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Measured):
    """The same with what the run said of each view.

    Attributes
    ----------
    held : HeldOut
    prediction : SkipPrediction
        The run's, for the views of ``held``.
    """

    held: HeldOut
    prediction: SkipPrediction

    @property
    def warnings(self) -> list[str]:
        """Why the figures may not be what they seem."""
        lines = super().warnings
        if self.held.adapted:
            lines.append(
                "the log is not the one that the run was trained on: statistics are those of this log's training "
                "views, weights those of the run"
            )
        elif self.held.foreign:
            lines.append(
                "the log is not the one that the run was trained on: the run keeps its own log's statistics and takes "
                "ids of both for the same users and videos, while baselines are fitted on this log"
            )
        if self.held.trained_on:
            lines.append(f"{self.held.trained_on:,} of the views are training views of the run; figures are too good")
        if self.held.dropped:
            lines.append(f"{self.held.dropped:,} views without a watch time left out")
        return lines


def measure_run(predictor: Predictor, log: Interactions | None = None, baselines: Sequence[str] = ()) -> Measurement:
    """Measure a run, and baselines fitted on its training views, on :func:`held_out` views.

    A baseline of the run's own name is told apart by calling the run ``run NAME``.
    """
    run, held = predictor.run, held_out(predictor.data, log)
    foreign = predictor.data.fingerprint != run.data["log_fingerprint"]
    names = baseline_names(",".join(baselines) or "none")
    adapted = _adapted(run, held) if foreign else None
    held = replace(held, foreign=foreign, adapted=adapted is not None)
    prediction = (adapted or run.model).predict(held.data)
    title = _title(run, names)
    found = {title: held.judge(prediction)}
    found.update({name: held.baseline(name, run.config.seed) for name in names})
    return Measurement(title, found, predictor.data.config, held, prediction)


def measure_parts(predictor: Predictor, baselines: Sequence[str] = ()) -> Measured:
    """The same on the run's own test views, of a log that is walked over in parts: only figures of each view are kept.

    Raises
    ------
    ValueError
        If the log is not the one that the run was trained on, or a baseline needs it in memory and it does not fit.
    """
    run, data = predictor.run, predictor.data
    if data.fingerprint != run.data["log_fingerprint"]:
        raise ValueError(f"{data.config.interactions[0]} has changed since run {run.name} was trained on it")
    names = baseline_names(",".join(baselines) or "none")
    title = _title(run, names)
    models = {title: run.model, **{name: _fitted(name, data, run.config.seed) for name in names}}
    videos = dict[str, None]()
    for part in data.parts.parts(TRAIN):
        videos.update(dict.fromkeys(Vocabulary.of(part.views.video_ids, part.views.video).ids))
    warm, found = Vocabulary(tuple(videos)), {name: list[Evaluation]() for name in models}
    for k in range(data.parts.count):
        whole, split = data.parts.load(k)
        if not len(split.test):
            continue
        test, train = whole.take(split.test), whole.views.take(split.train)
        masks = groups_by(test.views, Vocabulary.of(train.user_ids, train.user), warm)
        for name, model in models.items():
            metrics = view_metrics(model.predict(test), test.views, data.config.max_segments)
            found[name].append(Evaluation(test.views, metrics, masks))
    if not found[title]:
        raise ValueError("no view to evaluate on: no user has enough of them")
    return Measured(title, {name: joined_evaluations(e) for name, e in found.items()}, data.config)


def _title(run: Run, baselines: Sequence[str]) -> str:
    """What a run is called beside baselines, one of which may have its name."""
    return f"run {run.name}" if run.name in baselines else run.name


def _fitted(name: str, data: RunData, seed: int) -> SegmentModel:
    """A model of the registry with its default settings, fitted on the run's training views."""
    model = make_model(name, {"max_segments": data.config.max_segments})
    data.fit(model, FitRun(seed=seed))
    return model


def _adapted(run: Run, held: HeldOut) -> SegmentModel | None:
    """The run's model moved to another log; None where its kind cannot be."""
    model = replace(run).model  # read anew: the run's own stays as it is
    try:
        model.adapt(held.run_data.training, held.run_data.split, FitRun(seed=run.config.seed))
    except Unadaptable:
        return None
    return model


def baseline_names(text: str) -> tuple[str, ...]:
    """The baselines behind ``all``, ``none`` or a comma-separated list.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    if text in ("all", "none"):
        return BASELINES if text == "all" else ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in BASELINES]:
        raise ValueError(f"unknown baseline {', '.join(unknown)}; valid are all, none, {', '.join(BASELINES)}")
    return names
