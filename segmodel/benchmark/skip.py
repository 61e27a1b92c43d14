"""The skip benchmark: tune every system on validation views, measure it on test views (Tables 2 and 3 of the paper)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from segmodel.benchmark.cells import Cell, Outcome, best_trial, with_seeds
from segmodel.benchmark.plan import BenchmarkPlan, open_plan
from segmodel.benchmark.search import try_systems
from segmodel.benchmark.systems import System
from segmodel.benchmark.worker_pool import Bench, Progress, compute, silent
from segmodel.evaluation.evaluation import Evaluation, groups
from segmodel.evaluation.view_metrics import ViewMetrics, view_metrics
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.runs.data import RunData

CRITERIA: Mapping[str, str] = {"paper": "paper_ndcg@5", "masked": "masked_ndcg@5", "nll": "nll"}
"""What settings are chosen by, each for its own columns of the tables: name -> metric on validation views."""

LESS_IS_BETTER = ("nll",)


@dataclass(frozen=True, eq=False)
class Found:
    """Outcomes of a benchmark.

    Attributes
    ----------
    evaluations : criterion -> system name -> one per seed
        On the test views, with the settings that validation chose by the criterion.
    settings : criterion -> system name -> settings
    absent : system name -> reason
        Systems without figures.
    seconds : system name -> float
        CPU time of all fits together.
    facts : mapping
        What the data are.
    """

    evaluations: Mapping[str, Mapping[str, Sequence[Evaluation]]]
    settings: Mapping[str, Mapping[str, Mapping[str, Any]]]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


class SkipBench(Bench):
    """Fits systems and measures their skip predictions."""

    def fit(self, run_data: RunData, cell: Cell) -> Outcome:
        """Fit a system; the outcome holds the metrics of the test views."""
        began = time.process_time()
        data, split, slots = run_data.dataset, run_data.split, int(cell.settings["max_segments"])
        try:
            model = make_model(cell.model, cell.settings)
            model.fit(data, split, FitRun(seed=cell.seed, device=self.plan.device))
            valid, test = (data.take(rows) for rows in (split.valid, split.test))
            judged = view_metrics(model.predict(valid), valid.views, slots).summary()
            metrics = view_metrics(model.predict(test), test.views, slots)
        except ValueError as error:
            return Outcome({}, time.process_time() - began, failure=str(error))
        # The paper's protocol is undefined for other segment lengths.
        scores = {
            name: -judged[metric] if metric in LESS_IS_BETTER else judged[metric]
            for name, metric in CRITERIA.items()
            if not math.isnan(judged[metric])
        }
        arrays = {f.name: getattr(metrics, f.name) for f in fields(ViewMetrics)}
        return Outcome(scores, time.process_time() - began, arrays)

    def tells(self, cell: Cell, outcome: Outcome) -> str:
        return "validation " + ", ".join(f"{CRITERIA[name]} {abs(s):.4f}" for name, s in outcome.valid.items())


def run_skip(plan: BenchmarkPlan, systems: Sequence[System], jobs: int = 1, progress: Progress = silent) -> Found:
    """Fit what is not yet fitted, and gather everything.

    Parameters
    ----------
    plan : BenchmarkPlan
    systems : sequence of System
    jobs : int
        Fits at a time, each in a process of its own; 1 stays in this one.
    progress : callable
        Receives a line for each fit that has ended.

    Raises
    ------
    ValueError
        If there is nothing to train, validate or test on.
    """
    run_data = open_plan(plan.config)
    bench, absent = SkipBench(plan), dict[str, str]()
    identity = plan.identity(run_data.summary)
    tried, outcomes = try_systems(bench, run_data, systems, identity, absent, jobs, progress)
    there = {name: cells for name, cells in tried.items() if name not in absent}
    best = {
        criterion: {name: best_trial(cells, outcomes, criterion) for name, cells in there.items()}
        for criterion in CRITERIA
    }
    # Most criteria choose the same settings; equal cells are one.
    seeds = {
        criterion: {name: with_seeds(cell, plan.budget.seeds) for name, cell in chosen.items()}
        for criterion, chosen in best.items()
    }
    further = [c for by_system in seeds.values() for cells in by_system.values() for c in cells[1:]]
    outcomes |= compute(bench, run_data, further, jobs, progress)
    test = run_data.dataset.views.take(run_data.split.test)
    masks = groups(test, run_data.train_views)

    def measured(cells: Sequence[Cell]) -> list[Evaluation]:
        found = [outcomes[c.fingerprint] for c in cells]
        return [Evaluation(test, ViewMetrics(**o.arrays), masks) for o in found if not o.failure]

    evaluations = {k: {name: measured(cells) for name, cells in by.items()} for k, by in seeds.items()}
    seconds = {}
    for name, cells in tried.items():
        everything = [*cells, *(c for by_system in seeds.values() for c in by_system.get(name, ()))]
        seconds[name] = sum(outcomes[f].seconds for f in {c.fingerprint for c in everything})
    settings = {k: {name: cell.settings for name, cell in chosen.items()} for k, chosen in best.items()}
    return Found(evaluations, settings, absent, seconds, run_data.summary)
