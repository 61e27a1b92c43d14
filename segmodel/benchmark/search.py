"""The search that benchmarks of systems begin with: every system's trials, and which have none that succeeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segmodel.benchmark.budget import trials
from segmodel.benchmark.cells import Cell, Outcome
from segmodel.benchmark.systems import System
from segmodel.benchmark.worker_pool import Bench, Progress, compute
from segmodel.runs.data import RunData


def try_systems(
    bench: Bench,
    run_data: RunData,
    systems: Sequence[System],
    identity: Mapping[str, Any],
    absent: dict[str, str],
    jobs: int,
    progress: Progress,
) -> tuple[dict[str, list[Cell]], dict[str, Outcome]]:
    """Fit every trial of every system that the store has content for.

    Parameters
    ----------
    bench : Bench
    run_data : RunData
        Of its plan.
    systems : sequence of System
    identity : mapping
        What tells the data of this benchmark's cells apart.
    absent : dict of system name to reason
        Systems that cannot run here, or none of whose trials succeeded, are added to it.
    jobs : int
    progress : callable

    Returns
    -------
    tried : system name -> cells
    outcomes : fingerprint -> Outcome
    """
    plan, here = bench.plan, run_data.modalities
    absent |= {s.name: reason for s in systems if (reason := s.lacks(here))}
    tried = {
        s.name: [Cell(s.name, s.model, plan.settings(s, here, t), 0, identity) for t in trials(s.model, plan.budget)]
        for s in systems
        if s.name not in absent
    }
    outcomes = compute(bench, run_data, [c for cells in tried.values() for c in cells], jobs, progress)
    for name, cells in tried.items():
        failures = [outcomes[c.fingerprint].failure for c in cells]
        if all(failures):
            absent[name] = failures[0]
    return tried, outcomes
