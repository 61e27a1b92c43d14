"""HeldOut: the views that measure a run, and the simple models that are measured beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset
from segmodel.evaluation.evaluation import Evaluation, evaluate
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.runs.run import Run
from segmodel.data.splits import Split
from segmodel.data.views import Views

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
    data : Dataset
        The views to predict, with their histories.
    known : Dataset
        The views of the run.
    split : Split
        Of ``known``.
    max_segments : int
    trained_on : int
        How many of the views in ``data`` are training views; more than 0 makes figures too good.
    dropped : int
        Views left out because their watch time is unknown.
    """

    data: Dataset
    known: Dataset
    split: Split
    max_segments: int
    trained_on: int = 0
    dropped: int = 0

    def evaluate(self, model: SegmentModel) -> Evaluation:
        """Predict all views and hold them against what happened."""
        train = self.known.views.take(self.split.train)
        return evaluate(model.predict(self.data), self.data.views, train, self.max_segments)

    def baseline(self, name: str, seed: int = 0) -> Evaluation:
        """Fit a model of the registry with its default settings on the run's training views, and evaluate it."""
        model = make_model(name, {"max_segments": self.max_segments})
        model.fit(self.known, self.split, FitRun(seed=seed))
        return self.evaluate(model)


def held_out(
    run: Run, store: FeatureStore, log: Interactions | None = None, history: Interactions | None = None
) -> HeldOut:
    """The views that measure a run: its own test views, or other ones.

    Parameters
    ----------
    run : Run
    store : FeatureStore
    log : Interactions, optional
        Views to measure on instead; earlier ones are history for later ones, as is the run's own log.
    history : Interactions, optional
        Extra views for histories only.

    Raises
    ------
    ValueError
        If no view is left to measure on.
    """
    own_log = run.config.log(store)
    known = run.config.dataset(store, log=own_log)
    split = run.config.make_split(known)
    if log is None and history is None:
        data = known.take(split.test)
    else:
        pairs = own_log.take(np.sort(known.views.log_row[split.test])) if log is None else log
        data = run.config.dataset(store, log=own_log, pairs=pairs, history=history)
    watched = data.views.watched
    if not watched.any():
        reasons = ", ".join(f"{n:,} × {r}" for r, n in data.views.dropped.items())
        raise ValueError(f"no view to evaluate on; rows left out: {reasons or 'none'}")
    train = known.views.take(split.train)
    seen = 0 if log is None else len(_keys(train) & _keys(data.views))
    return HeldOut(
        data if watched.all() else data.take(np.flatnonzero(watched)),
        known,
        split,
        run.config.max_segments,
        seen,
        int((~watched).sum()),
    )


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


def _keys(views: Views) -> set[tuple[str, str, int]]:
    columns: Iterable[tuple[str, str, int]] = zip(
        views.user_ids[views.user].tolist(),
        views.video_ids[views.video].tolist(),
        views.time_ms.tolist(),
        strict=True,
    )
    return set(columns)
