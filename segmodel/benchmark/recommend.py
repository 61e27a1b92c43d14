"""The recommendation benchmark: effective views from weighed segments (Table 4 of the paper).

Three kinds of cells. *Interest*: a system of the skip benchmark fitted on where users leave, asked about every view;
each is fitted once a seed and serves all backbones. *Trials*: a backbone's settings, tried in the mode Video. *Modes*:
the backbone with those settings and each way to weigh segments.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float64
from segmodel.benchmark.budget import trials
from segmodel.benchmark.cells import Cell, Outcome, best_trial, read_cell, with_seeds
from segmodel.benchmark.plan import BenchmarkPlan, open_plan
from segmodel.benchmark.systems import SYSTEMS
from segmodel.benchmark.weightings import REFERENCE, Mode
from segmodel.benchmark.worker_pool import Bench, Progress, compute, silent
from segmodel.data.views import Views
from segmodel.evaluation.metrics import PROBABILITY_FLOOR
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.recommend import DIRECT
from segmodel.recommend.cross_fitting import known_interest
from segmodel.recommend.effective import EffectiveViews
from segmodel.recommend.from_survival import effective_probability, interest_survival
from segmodel.recommend.segrec import SegRec
from segmodel.recommend.weights import INTEREST, VIDEO
from segmodel.runs.data import RunData

_INTEREST_CELL = "interest-"
_NO_END = ("end_slot", "end_after_skip")
"""Settings that mean nothing to SegRec, which scores no end slot."""

_JUDGED = "log-likelihood"
"""What trials are judged by."""

_FOLDS, _SOURCE, _WEIGHING = "folds", "interest", "weighing"
"""Keys that cells have beside the settings of their model."""


@dataclass(frozen=True, eq=False)
class Recommended:
    """Outcomes of the benchmark.

    Attributes
    ----------
    views : Views
        The test views.
    effective : bool (B,)
    probability : backbone -> mode -> one float (B,) per seed
        P(effective).
    settings : backbone -> settings
        Those that validation chose.
    absent : backbone -> mode -> reason
    seconds : cell group -> float
        CPU time of all fits: of each interest, by ``interest-<system>``, of ``direct``, and of each backbone.
    facts : mapping
        What the data are.
    """

    views: Views
    effective: Bool
    probability: Mapping[str, Mapping[str, Sequence[Float64]]]
    settings: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, Mapping[str, str]]
    seconds: Mapping[str, float]
    facts: Mapping[str, Any]


class RecommendBench(Bench):
    """Fits interest and SegRec."""

    def fit(self, run_data: RunData, cell: Cell) -> Outcome:
        """Interest (V, S) of all views, or P(effective) (B,) of the test views."""
        began = time.process_time()
        fit = self._interest if cell.system.startswith(_INTEREST_CELL) else self._segrec
        try:
            valid, arrays = fit(run_data, cell)
        except ValueError as error:
            return Outcome({}, time.process_time() - began, failure=str(error))
        return Outcome(valid, time.process_time() - began, arrays)

    def tells(self, cell: Cell, outcome: Outcome) -> str:
        return f"validation logloss {-outcome.valid[_JUDGED]:.4f}" if outcome.valid else "fitted"

    def _interest(self, run_data: RunData, cell: Cell) -> tuple[dict[str, float], dict[str, Any]]:
        settings = {k: v for k, v in cell.settings.items() if k != _FOLDS}
        run = FitRun(seed=cell.seed, device=self.plan.device)
        interest = known_interest(
            lambda: make_model(cell.model, settings), run_data.dataset, run_data.split, run, int(cell.settings[_FOLDS])
        )
        return {}, {"interest": interest.astype(np.float32)}

    def _segrec(self, run_data: RunData, cell: Cell) -> tuple[dict[str, float], dict[str, Any]]:
        data, split = run_data.dataset, run_data.split
        effective = EffectiveViews.of(data.views.take(split.train)).labels(data.views)
        settings = {k: v for k, v in cell.settings.items() if k not in (_SOURCE, _WEIGHING)}
        source = cell.settings[_SOURCE]
        interest = read_cell(self.plan.cells / source).arrays["interest"] if source else None
        model = SegRec(cell.model, settings, cell.settings[_WEIGHING])
        model.fit(data, split, effective, interest, FitRun(seed=cell.seed, device=self.plan.device))
        valid, test = (
            expit(model.logits(data.take(rows), None if interest is None else interest[rows]))
            for rows in (split.valid, split.test)
        )
        return {_JUDGED: _log_likelihood(valid, effective[split.valid])}, {"probability": test}


def run_recommend(
    plan: BenchmarkPlan,
    backbones: Sequence[str],
    modes: Sequence[Mode],
    jobs: int = 1,
    progress: Progress = silent,
) -> Recommended:
    """Fit what is not yet fitted, and gather everything.

    Parameters
    ----------
    plan : BenchmarkPlan
    backbones : sequence of str
    modes : sequence of Mode
        The reference among them.
    jobs : int
        Fits at a time, each in a process of its own; 1 stays in this one.
    progress : callable
        Receives a line for each fit that has ended.

    Raises
    ------
    ValueError
        If there is nothing to train, validate or test on, or training or test views are all effective or all not.
    """
    run_data = open_plan(plan.config)
    stages = _Stages(plan, run_data, backbones, modes, jobs, progress)
    stages.try_settings()
    stages.fit_interest()
    stages.fit_modes()
    return stages.gather()


class _Stages:
    """The benchmark in four stages, each of which needs what the one before has found.

    Attributes
    ----------
    outcomes : fingerprint -> Outcome
        Of all cells so far.
    absent : backbone -> mode -> reason
    best : backbone -> Cell
        The trial that validation likes best, of backbones that could be fitted.
    interest : system -> cells
        Whose interest weighs segments.
    curves : list of Cell
        Whose survival curves rank directly.
    fits : (backbone, mode) -> cells
    """

    def __init__(
        self,
        plan: BenchmarkPlan,
        run_data: RunData,
        backbones: Sequence[str],
        modes: Sequence[Mode],
        jobs: int,
        progress: Progress,
    ) -> None:
        views, split = run_data.dataset.views, run_data.split
        self.learned = EffectiveViews.of(run_data.train_views)
        self.effective = self.learned.labels(views)
        for name, rows in (("training", split.train), ("test", split.test)):
            if self.effective[rows].all() or not self.effective[rows].any():
                raise ValueError(f"{plan.config.store}: all {len(rows):,} {name} views have the same label")
        self.plan, self.run_data, self.backbones = plan, run_data, backbones
        self._bench, self._cells = RecommendBench(plan), _Cells(plan, run_data)
        self._jobs, self._progress = jobs, progress
        missing = {m.name: reason for m in modes if (reason := m.lacks(run_data.modalities))}
        self.absent = {b: dict(missing) for b in backbones}
        self.able = [m for m in modes if m.name not in missing]
        self.outcomes: dict[str, Outcome] = {}
        self.tried: dict[str, list[Cell]] = {}
        self.best: dict[str, Cell] = {}
        self.interest: dict[str, list[Cell]] = {}
        self.curves: list[Cell] = []
        self.fits: dict[tuple[str, str], list[Cell]] = {}

    @property
    def wanted(self) -> list[tuple[str, Mode]]:
        """Backbones that can be fitted with modes that can be run."""
        return [(b, m) for b in self.best for m in self.able]

    def try_settings(self) -> None:
        """Each backbone's trials, in the reference mode."""
        self.tried = {b: self._cells.trials(b) for b in self.backbones}
        self._compute(c for group in self.tried.values() for c in group)
        for backbone, group in self.tried.items():
            cell = best_trial(group, self.outcomes, _JUDGED)
            if failure := self.outcomes[cell.fingerprint].failure:
                self.absent[backbone] |= {m.name: failure for m in self.able}
            else:
                self.best[backbone] = cell

    def fit_interest(self) -> None:
        """Every system whose interest weighs segments, with every seed; it serves all backbones."""
        here = self.run_data.modalities
        weighed = [m.source(b, here) for b, m in self.wanted if m.weighing == INTEREST]
        self.interest = {s: self._cells.interest(s, self.plan.budget.folds) for s in dict.fromkeys(weighed)}
        # Asked about test views alone, a survival curve may come from all training views.
        direct = [m for m in self.able if m.weighing == DIRECT and self.best]
        self.curves = [c for m in direct for c in self._cells.interest(m.source("", here), 1)]
        self._compute([*(c for group in self.interest.values() for c in group), *self.curves])

    def fit_modes(self) -> None:
        """The backbones with their best settings in every mode, with every seed."""
        for backbone, mode in self.wanted:
            direct = mode.weighing == DIRECT
            source = mode.source(backbone, self.run_data.modalities)
            group = self.curves if direct else self.interest.get(source, [])
            failures = [f for c in group if (f := self.outcomes[c.fingerprint].failure)]
            if failures:
                self.absent[backbone][mode.name] = failures[0]
            elif not direct:
                self.fits[backbone, mode.name] = self._cells.mode(self.best[backbone], mode, group)
        self._compute(c for group in self.fits.values() for c in group)

    def gather(self) -> Recommended:
        """P(effective) of the test views by backbone and mode, and what all that cost."""
        data, split = self.run_data, self.run_data.split
        probability: dict[str, dict[str, list[Float64]]] = {b: {} for b in self.backbones}
        for backbone, mode in self.wanted:
            cells = self.fits.get((backbone, mode.name), [])
            failures = [f for c in cells if (f := self.outcomes[c.fingerprint].failure)]
            if failures:
                self.absent[backbone][mode.name] = failures[0]
            if mode.name in self.absent[backbone]:
                continue
            if mode.weighing == DIRECT:
                probability[backbone][mode.name] = self._from_curves()
            else:
                found = [self.outcomes[c.fingerprint].arrays["probability"] for c in cells]
                probability[backbone][mode.name] = found
        settings = {b: cell.settings for b, cell in self.best.items()}
        test = data.dataset.views.take(split.test)
        effective = self.effective[split.test]
        return Recommended(test, effective, probability, settings, self.absent, self._spent(), data.summary)

    def _from_curves(self) -> list[Float64]:
        """P(effective) of the test views read off survival curves, one per seed."""
        rows = self.run_data.split.test
        test = self.run_data.dataset.views.take(rows)
        found = [self.outcomes[c.fingerprint].arrays["interest"][rows].astype(float) for c in self.curves]
        return [effective_probability(interest_survival(f, test), test, self.learned) for f in found]

    def _spent(self) -> dict[str, float]:
        fits = {b: [c for (k, _), group in self.fits.items() if k == b for c in group] for b in self.backbones}
        return {
            **{f"{_INTEREST_CELL}{s}": _seconds(group, self.outcomes) for s, group in self.interest.items()},
            **({DIRECT: _seconds(self.curves, self.outcomes)} if self.curves else {}),
            **{b: _seconds([*self.tried[b], *fits[b]], self.outcomes) for b in self.backbones},
        }

    def _compute(self, cells: Iterable[Cell]) -> None:
        self.outcomes |= compute(self._bench, self.run_data, [*cells], self._jobs, self._progress)


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of one benchmark."""

    plan: BenchmarkPlan
    run_data: RunData

    @property
    def identity(self) -> dict[str, Any]:
        return {**self.plan.identity(self.run_data.summary), "task": "recommend"}

    def trials(self, backbone: str) -> list[Cell]:
        """A backbone's settings, tried in the reference mode."""
        cells = []
        for trial in trials(backbone, self.plan.budget, without=_NO_END):
            settings = self.plan.settings(SYSTEMS[backbone], self.run_data.modalities, trial)
            settings |= {_WEIGHING: VIDEO, _SOURCE: ""}
            cells.append(Cell(f"{backbone}-{REFERENCE}", backbone, settings, 0, self.identity))
        return cells

    def interest(self, name: str, folds: int) -> list[Cell]:
        """A system's interest with every seed, fitted with the first settings of its own search."""
        system = SYSTEMS[name]
        settings = self.plan.settings(system, self.run_data.modalities, trials(system.model, self.plan.budget)[0])
        cell = Cell(f"{_INTEREST_CELL}{name}", system.model, {**settings, _FOLDS: folds}, 0, self.identity)
        return with_seeds(cell, self.plan.budget.seeds)

    def mode(self, best: Cell, mode: Mode, interest: Sequence[Cell]) -> list[Cell]:
        """A backbone in one mode with every seed; seed s takes the interest of seed s."""
        # Modes that weigh by the same system are the same cell.
        name = interest[0].system if interest else mode.name
        settings = {**best.settings, _WEIGHING: mode.weighing}
        cells = []
        for cell in with_seeds(replace(best, system=f"{best.model}-{name}"), self.plan.budget.seeds):
            source = interest[cell.seed].file_name if interest else ""
            cells.append(replace(cell, settings={**settings, _SOURCE: source}))
        return cells


def _log_likelihood(probability: Float64, label: Bool) -> float:
    """Mean ln P(what happened)."""
    return float(np.log(np.maximum(np.where(label, probability, 1.0 - probability), PROBABILITY_FLOOR)).mean())


def _seconds(cells: Sequence[Cell], outcomes: Mapping[str, Outcome]) -> float:
    return sum(outcomes[f].seconds for f in {c.fingerprint for c in cells})
