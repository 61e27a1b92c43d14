"""What the report says about how good a run is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.evaluation.bootstrap import Interval, user_interval
from segmodel.evaluation.comparison import Comparison, compare_outcomes
from segmodel.evaluation.evaluation import Evaluation, evaluate
from segmodel.prediction import SkipPrediction
from segmodel.runs.compare import DEFAULT_REFERENCE, cut_name
from segmodel.runs.held_out import HeldOut, held_out
from segmodel.runs.run import Run


@dataclass(frozen=True, eq=False)
class Measured:
    """A run and simple models, measured on the same views.

    Attributes
    ----------
    name : str
        Of the run, among ``evaluations``.
    held : HeldOut
    prediction : SkipPrediction
        The run's, for the views of ``held``.
    evaluations : dict of model to Evaluation
        The run first.
    comparison : Comparison
        Against DurationPosition, or, where that is the run's own kind, against the run.
    """

    name: str
    held: HeldOut
    prediction: SkipPrediction
    evaluations: dict[str, Evaluation]
    comparison: Comparison

    @property
    def own(self) -> Evaluation:
        """The run's evaluation."""
        return self.evaluations[self.name]

    @property
    def reference(self) -> Evaluation:
        """The evaluation that differences are taken to."""
        return self.evaluations[self.comparison.reference]


@dataclass(frozen=True)
class GroupRow:
    """The run on one group of views; ``gap`` is its NLL minus the reference's."""

    group: str
    views: int
    nll: float
    reference_nll: float
    gap: Interval
    masked_ndcg: float
    watch_error_s: float
    completed: float


def measure(
    run: Run,
    store: FeatureStore,
    baselines: Sequence[str],
    history: Interactions | None = None,
) -> Measured:
    """Measure a run on its test views, beside ``baselines`` fitted on its training views."""
    held = held_out(run, store, None, history)
    views, train = held.data.views, held.known.views.take(held.split.train)
    prediction = run.model.predict(held.data)
    found = {run.name: evaluate(prediction, views, train, held.max_segments)}
    others = [name for name in baselines if name != run.config.model]
    found.update({name: held.baseline(name, run.config.seed) for name in others})
    reference = DEFAULT_REFERENCE if DEFAULT_REFERENCE in found else run.name
    comparison = compare_outcomes({name: {cut_name(run.config): [e]} for name, e in found.items()}, reference)
    return Measured(run.name, held, prediction, found, comparison)


def group_rows(measured: Measured) -> list[GroupRow]:
    """The run by warm and cold videos and users and by number of segments, without groups of no view or of all."""
    own, reference = measured.own, measured.reference
    # By id, as the table of models has them, so that both draw the same users.
    user = own.views.user_ids[own.views.user].astype(str)
    rows = []
    for group, mask in own.groups.items():
        if not mask.any() or (mask.all() and group != "all"):
            continue
        mine, theirs = own.metrics.nll[mask], reference.metrics.nll[mask]
        ndcg = own.metrics.values("masked_ndcg@5")[mask]
        counted = ndcg[~np.isnan(ndcg)]
        rows.append(
            GroupRow(
                group=group,
                views=int(mask.sum()),
                nll=float(mine.mean()),
                reference_nll=float(theirs.mean()),
                gap=user_interval(mine - theirs, user[mask]),
                masked_ndcg=float(counted.mean()) if len(counted) else float("nan"),
                watch_error_s=float(own.metrics.watch_error_s[mask].mean()),
                completed=float(own.metrics.completed[mask].mean()),
            )
        )
    return rows
