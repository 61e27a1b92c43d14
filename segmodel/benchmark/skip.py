"""The skip benchmark: tune every system on validation views, measure it on test views (Tables 2 and 3 of the paper)."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segfeat.store import FeatureStore
from segmodel.benchmark.budget import Budget, trials, within
from segmodel.benchmark.cells import Cell, Outcome, read_outcome
from segmodel.benchmark.systems import System
from segmodel.configuration import run_config
from segmodel.dataset import Dataset
from segmodel.evaluate import Evaluation, groups
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.runs import RunConfig, describe_data
from segmodel.splits import Split
from segmodel.view_metrics import view_metrics

Progress = Callable[[str], None]

CELLS = "cells"


@dataclass(frozen=True)
class Plan:
    """A benchmark about to run.

    Attributes
    ----------
    config : RunConfig
        Store, log and split; its model plays no part.
    systems : tuple of System
    budget : Budget
    folder : path
        Cells are written and found below it.
    device : str
    """

    config: RunConfig
    systems: tuple[System, ...]
    budget: Budget
    folder: Path
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Found:
    """Outcomes of a benchmark.

    Attributes
    ----------
    evaluations : system name -> one per seed
        On the test views.
    settings : system name -> settings
        Those that validation chose.
    absent : system name -> reason
        Systems without figures.
    seconds : system name -> float
        All fits together.
    facts : mapping
        What the data are.
    """

    evaluations: Mapping[str, Sequence[Evaluation]]
    settings: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


def make_plan(
    store: str | Path,
    systems: Sequence[System],
    budget: Budget,
    folder: str | Path,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Plan:
    """A plan; ``options`` are run options such as ``interactions``, ``split`` and ``train_share``.

    Raises
    ------
    ValueError
        For unknown options.
    """
    config = run_config(store, {"model": "random", **(options or {})})
    return Plan(config, tuple(systems), budget, Path(folder), device)


def run_skip(plan: Plan, jobs: int = 1, progress: Progress | None = None) -> Found:
    """Fit what is not yet fitted, and gather everything.

    Parameters
    ----------
    plan : Plan
    jobs : int
        Fits at a time, each in a process of its own; 1 stays in this one.
    progress : callable, optional
        Receives a line for each fit that has ended.

    Raises
    ------
    ValueError
        If there is nothing to train, validate or test on.
    """
    data, split, facts = _open(plan.config)
    for name, rows in (("train", split.train), ("validate", split.valid), ("test", split.test)):
        if not len(rows):
            raise ValueError(f"{plan.config.store}: no view to {name} on; users need at least 5 views")
    here = tuple(data.store.encoders) if data.store is not None else ()
    absent = {s.name: reason for s in plan.systems if (reason := s.lacks(here))}
    able = [s for s in plan.systems if s.name not in absent]
    say = progress or _silent
    tried = {s.name: [_cell(plan, s, here, t, 0, facts) for t in trials(s.model, plan.budget)] for s in able}
    outcomes = dict(_compute(plan, data, split, [c for cells in tried.values() for c in cells], jobs, say))
    best: dict[str, Cell] = {}
    for name, cells in tried.items():
        cell = max(cells, key=lambda c: outcomes[c.fingerprint].valid)
        if outcomes[cell.fingerprint].metrics is None:
            absent[name] = outcomes[cell.fingerprint].failure
        else:
            best[name] = cell
    seeds = {
        n: [Cell(c.system, c.model, c.settings, s, c.data) for s in range(plan.budget.seeds)] for n, c in best.items()
    }
    outcomes.update(_compute(plan, data, split, [c for cells in seeds.values() for c in cells[1:]], jobs, say))
    test = data.views.take(split.test)
    masks = groups(test, data.views.take(split.train))
    evaluations: dict[str, list[Evaluation]] = {}
    for name, cells in seeds.items():
        found = [outcomes[c.fingerprint] for c in cells]
        evaluations[name] = [Evaluation(test, o.metrics, masks) for o in found if o.metrics is not None]
    seconds = {
        n: sum(outcomes[f].seconds for f in {c.fingerprint for c in (*cells, *seeds.get(n, ()))})
        for n, cells in tried.items()
    }
    return Found(evaluations, {n: c.settings for n, c in best.items()}, absent, seconds, facts)


def _silent(line: str) -> None:
    """Progress that nobody watches."""


def _open(config: RunConfig) -> tuple[Dataset, Split, dict[str, Any]]:
    """Views, their split, and what identifies them."""
    store = FeatureStore(config.store)
    log = config.log(store)
    data = config.dataset(store, log=log)
    split = config.make_split(data)
    return data, split, describe_data(data, split, log)


def _cell(
    plan: Plan, system: System, here: Sequence[str], trial: Mapping[str, Any], seed: int, facts: Mapping[str, Any]
) -> Cell:
    settings = {**system.settings(here), **within(system.model, plan.budget), **trial}
    settings["max_segments"] = plan.config.max_segments
    data = {
        "store": facts["store_hash"],
        "log": facts["log_fingerprint"],
        **{k: getattr(plan.config, k) for k in ("split", "train_share", "max_segments", "max_duration_s")},
    }
    # As JSON would give it back, so that a fingerprint does not depend on who computes it.
    return Cell(
        system.name, system.model, {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}, seed, data
    )


def _compute(
    plan: Plan, data: Dataset, split: Split, cells: Sequence[Cell], jobs: int, say: Progress
) -> Iterator[tuple[str, Outcome]]:
    """Fingerprint and outcome of every cell, from files where they are there."""
    folder = plan.folder / CELLS
    missing = []
    for cell in cells:
        outcome = read_outcome(cell, folder)
        if outcome is None:
            missing.append(cell)
        else:
            yield cell.fingerprint, outcome
    if len(missing) < len(cells):
        say(f"{len(cells) - len(missing)} of {len(cells)} fits are there already")
    for done, (cell, outcome) in enumerate(_fits(plan, data, split, missing, jobs), start=1):
        outcome.write(cell, folder)
        score = outcome.failure or f"validation NDCG@5 {outcome.valid:.4f}"
        say(f"[{done}/{len(missing)}] {cell.system} seed {cell.seed}: {score}, {outcome.seconds:.0f} s")
        yield cell.fingerprint, outcome


def _fits(plan: Plan, data: Dataset, split: Split, cells: Sequence[Cell], jobs: int) -> Iterator[tuple[Cell, Outcome]]:
    if jobs <= 1 or len(cells) <= 1:
        for cell in cells:
            yield cell, fit_cell(data, split, cell, plan.device)
        return
    others = multiprocessing.active_children()
    # Fresh processes: forking one that has run torch may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, fresh, initializer=_start_worker, initargs=(plan.config, jobs)) as pool:
        waiting = {pool.submit(_fit_in_worker, cell, plan.device): cell for cell in cells}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            # Finished fits are on disk; nobody waits for the others.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            raise


_WORKER: dict[str, Any] = {}
"""What a worker process fits on."""


def _start_worker(config: RunConfig, jobs: int) -> None:
    import torch

    # Ctrl-C ends a worker at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    _WORKER["data"], _WORKER["split"], _ = _open(config)


def _fit_in_worker(cell: Cell, device: str) -> Outcome:
    return fit_cell(_WORKER["data"], _WORKER["split"], cell, device)


def fit_cell(data: Dataset, split: Split, cell: Cell, device: str = "cpu") -> Outcome:
    """Fit a cell and measure it; a fit that cannot be is an outcome, too."""
    began = time.perf_counter()
    slots = int(cell.settings["max_segments"])
    try:
        model = make_model(cell.model, cell.settings)
        model.fit(data, split, FitRun(seed=cell.seed, device=device))
        valid, test = (data.take(rows) for rows in (split.valid, split.test))
        judged = view_metrics(model.predict(valid), valid.views, slots).summary()
        metrics = view_metrics(model.predict(test), test.views, slots)
    except ValueError as error:
        return Outcome(-math.inf, time.perf_counter() - began, failure=str(error))
    # The paper's protocol is undefined for other segment lengths.
    score = next((judged[n] for n in ("paper_ndcg@5", "masked_ndcg@5") if not math.isnan(judged[n])), 0.0)
    return Outcome(score, time.perf_counter() - began, metrics)
