"""The watch-time benchmark: tune every system on validation views, measure watch times on test views."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from segmodel.benchmark.cells import Cell, Outcome, best_trial, with_seeds
from segmodel.benchmark.plan import BenchmarkPlan, open_plan
from segmodel.benchmark.search import try_systems
from segmodel.benchmark.systems import CONTENT, System
from segmodel.benchmark.worker_pool import Bench, Progress, compute, silent
from segmodel.data.views import Views
from segmodel.evaluation.watch_time_metrics import WatchTimes, population_s, watch_times
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.runs.data import RunData

WATCH_SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        System("duration-position", "Position", "duration-position"),
        System("duration-user-position", "Position", "duration-user-position"),
        System("gbdt-hazard", "Hazard", "gbdt-hazard"),
        *(System(name, "WatchTime", name) for name in ("wlr", "d2q", "tpm", "cread", "cqe")),
        System("hazard-id", "Ours", "hazard", ("id",)),
        System("hazard-all", "Ours", "hazard", ("id", CONTENT)),
    )
}
"""Name -> system. The last family is this project's; the others are what it is measured against."""


CRITERION = "crps_s"
"""What settings are chosen by, on validation views."""


@dataclass(frozen=True, eq=False)
class WatchFound:
    """Outcomes of a benchmark.

    Attributes
    ----------
    views : Views
        The test views.
    times : system name -> one per seed
    settings : system name -> settings
        Those that validation chose.
    absent : system name -> reason
        Systems without figures.
    seconds : system name -> float
        CPU time of all fits together.
    facts : mapping
        What the data are.
    """

    views: Views
    times: Mapping[str, Sequence[WatchTimes]]
    settings: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


class WatchBench(Bench):
    """Fits systems and measures their watch times."""

    def fit(self, run_data: RunData, cell: Cell) -> Outcome:
        """Fit a system; the outcome holds what it says of the test views. Trials are judged by CRPS."""
        began = time.process_time()
        data, split = run_data.dataset, run_data.split
        population = population_s(data.views.take(split.train))
        try:
            model = make_model(cell.model, cell.settings)
            model.fit(data, split, FitRun(seed=cell.seed, device=self.plan.device))
            valid, test = (data.take(rows) for rows in (split.valid, split.test))
            judged = watch_times(model.predict(valid), valid.views, population)
            found = watch_times(model.predict(test), test.views, population)
        except ValueError as error:
            return Outcome({}, time.process_time() - began, failure=str(error))
        arrays = {f.name: np.asarray(getattr(found, f.name)) for f in fields(WatchTimes)}
        return Outcome({CRITERION: -float(judged.crps_s.mean())}, time.process_time() - began, arrays)

    def tells(self, cell: Cell, outcome: Outcome) -> str:
        return f"validation CRPS {-outcome.valid[CRITERION]:.4f} s"


def run_watch(plan: BenchmarkPlan, systems: Sequence[System], jobs: int = 1, progress: Progress = silent) -> WatchFound:
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
    bench, absent = WatchBench(plan), dict[str, str]()
    # Cells of other benchmarks may lie in the same folder.
    identity = {**plan.identity(run_data.summary), "measured": "watch time"}
    tried, outcomes = try_systems(bench, run_data, systems, identity, absent, jobs, progress)
    best = {name: best_trial(cells, outcomes, CRITERION) for name, cells in tried.items() if name not in absent}
    seeds = {name: with_seeds(cell, plan.budget.seeds) for name, cell in best.items()}
    outcomes |= compute(bench, run_data, [c for cells in seeds.values() for c in cells[1:]], jobs, progress)
    times = {
        name: [WatchTimes(**outcomes[c.fingerprint].arrays) for c in cells if not outcomes[c.fingerprint].failure]
        for name, cells in seeds.items()
    }
    seconds = {
        n: sum(outcomes[f].seconds for f in {c.fingerprint for c in (*cells, *seeds.get(n, ()))})
        for n, cells in tried.items()
    }
    settings = {n: c.settings for n, c in best.items()}
    test = run_data.dataset.views.take(run_data.split.test)
    return WatchFound(test, times, settings, absent, seconds, run_data.summary)
