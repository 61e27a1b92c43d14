"""What the report says about how good a run is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmodel.evaluation.bootstrap import Interval, seed_intervals
from segmodel.evaluation.comparison import Comparison, compare_outcomes
from segmodel.evaluation.evaluation import Evaluation
from segmodel.runs.compare import DEFAULT_REFERENCE, cut_name
from segmodel.runs.held_out import Measurement, measure_run
from segmodel.runs.predictor import Predictor


@dataclass(frozen=True, eq=False)
class RunResults(Measurement):
    """A run and simple models, measured and compared.

    Attributes
    ----------
    comparison : Comparison
        Against DurationPosition, or, where that is the run's own kind, against the run.
    """

    comparison: Comparison

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


def measure(predictor: Predictor, baselines: Sequence[str]) -> RunResults:
    """Measure a run on its test views, beside ``baselines`` fitted on its training views."""
    config = predictor.run.config
    found = measure_run(predictor, baselines=[name for name in baselines if name != config.model])
    reference = DEFAULT_REFERENCE if DEFAULT_REFERENCE in found.evaluations else found.name
    outcomes = {name: {cut_name(config): [e]} for name, e in found.evaluations.items()}
    return RunResults(**vars(found), comparison=compare_outcomes(outcomes, reference))


def group_rows(results: RunResults) -> list[GroupRow]:
    """The run by warm and cold videos and users and by number of segments, without groups of no view or of all."""
    own, reference = results.own, results.reference
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
                gap=seed_intervals([mine[None, :, None]], theirs[None, :, None], user[mask])[0][0],
                masked_ndcg=float(counted.mean()) if len(counted) else float("nan"),
                watch_error_s=float(own.metrics.watch_error_s[mask].mean()),
                completed=float(own.metrics.completed[mask].mean()),
            )
        )
    return rows
