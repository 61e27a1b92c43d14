"""Cells computed: what is on disk is read, the rest is fitted, several at a time where wanted."""

from __future__ import annotations

import multiprocessing
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from segfeat.available_cores import available_cores
from segmodel.benchmark.cells import Cell, Outcome, read_outcome
from segmodel.benchmark.plan import BenchmarkPlan, open_plan
from segmodel.countdown import Countdown
from segmodel.models.threads import take_threads
from segmodel.runs.data import RunData

Progress = Callable[[str], None]


def silent(line: str) -> None:
    """Progress that nobody watches."""


class Bench(ABC):
    """What fits the cells of one benchmark. It goes to worker processes, so it holds a plan and no data."""

    def __init__(self, plan: BenchmarkPlan) -> None:
        self.plan = plan

    @abstractmethod
    def fit(self, run_data: RunData, cell: Cell) -> Outcome:
        """Fit and measure a cell; a fit that cannot be is an outcome, too."""

    @abstractmethod
    def tells(self, cell: Cell, outcome: Outcome) -> str:
        """What progress says of a fit that succeeded."""


def compute(
    bench: Bench, run_data: RunData, cells: Sequence[Cell], jobs: int = 1, say: Progress = silent
) -> dict[str, Outcome]:
    """The outcome of every cell by fingerprint, from files where they are there.

    Parameters
    ----------
    bench : Bench
    run_data : RunData
        The views of its plan.
    cells : sequence of Cell
        Equal ones are one.
    jobs : int
        Fits at a time, each in a process of its own; 1 stays in this one.
    say : callable
        Receives a line for each fit that has ended.
    """
    folder = bench.plan.cells
    wanted = {cell.fingerprint: cell for cell in cells}
    outcomes = {f: found for f, cell in wanted.items() if (found := read_outcome(cell, folder)) is not None}
    missing = [cell for f, cell in wanted.items() if f not in outcomes]
    if outcomes:
        say(f"{len(outcomes)} of {len(wanted)} fits are there already")
    countdown = Countdown(len(missing))
    for cell, outcome in _fits(bench, run_data, missing, jobs):
        outcome.write(cell, folder)
        score = outcome.failure or bench.tells(cell, outcome)
        say(f"[{countdown.step()}] {cell.system} seed {cell.seed}: {score}, {outcome.seconds:.0f} s")
        outcomes[cell.fingerprint] = outcome
    return outcomes


def _fits(bench: Bench, run_data: RunData, cells: Sequence[Cell], jobs: int) -> Iterator[tuple[Cell, Outcome]]:
    if jobs <= 1 or len(cells) <= 1:
        for cell in cells:
            yield cell, bench.fit(run_data, cell)
        return
    others = multiprocessing.active_children()
    # Fresh processes: forking one that has run torch may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, fresh, initializer=_start_worker, initargs=(bench, jobs)) as pool:
        waiting = {pool.submit(_fit_in_worker, cell): cell for cell in cells}
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


def _start_worker(bench: Bench, jobs: int) -> None:
    # Ctrl-C ends a worker at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    take_threads(max(1, available_cores() // jobs))
    _WORKER["bench"], _WORKER["run_data"] = bench, open_plan(bench.plan.config)


def _fit_in_worker(cell: Cell) -> Outcome:
    found: Outcome = _WORKER["bench"].fit(_WORKER["run_data"], cell)
    return found
