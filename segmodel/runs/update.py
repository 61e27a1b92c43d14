"""Update: a run goes on learning from the views that came after its log."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np

from segfeat.interactions import Interactions
from segfeat.log_check import check_later, check_log, parse_units
from segmodel.data.views import Rows
from segmodel.models.base import FitRun
from segmodel.runs.config import RunConfig
from segmodel.runs.data import RunData, open_data, read_later
from segmodel.runs.run import Run, load_run, point_latest, save_model, write_facts
from segmodel.runs.train import Report, next_folder


def update(
    run: Run | str | Path,
    logs: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    device: str = "cpu",
    report: Report | None = None,
    latest: bool = True,
    unit: Sequence[str] = (),
) -> Run:
    """A new run that knows a run's log and later views.

    Statistics are those of the whole log. Networks go on from their weights, over the views that they were not trained
    on and as many that they were. The old run stays as it is.

    Parameters
    ----------
    run : Run or path
    logs : sequence of path
        Views that came later, with the columns and units of the run's log; those that it has already are left out.
    out : path, optional
        The new run directory; must not exist. Default: ``runs/<model>-<number>``.
    device : str
    report : callable, optional
        Receives each epoch's record.
    latest : bool
        Let ``runs/latest`` point at the new run when it has ended well; a server that follows it takes it over.
    unit : sequence of str
        In what the views count time, as in ``--unit``, where the run's log is its store's own; with any other run they
        are in the units of the files that it has read.

    Raises
    ------
    ValueError
        If nothing is new, the model cannot go on learning, ``out`` exists, the units are others than those of earlier
        files, or a file cannot be read.
    """
    old = run if isinstance(run, Run) else load_run(run)
    folder = Path(out) if out else next_folder(old.config.model)
    if folder.exists():
        raise ValueError(f"{folder} exists; choose another --out")
    before = open_data(old.config, old.open_store())
    with before.store:
        config = _grown_config(old.config, logs, tuple(unit))
        later = read_later(logs, before.own_log, config)
        for views in later:
            check_later(views, before.dated)
        data = RunData(config, before.store, reduce(Interactions.joined, later, before.own_log))
        check_log(data.own_log, before.store.duration_ms, str(before.store.path))
        if len(data.own_log) == len(before.own_log):
            raise ValueError(f"{', '.join(map(str, logs))}: run {old.name} knows all of these views already")
        folder.mkdir(parents=True)
        try:
            fit = FitRun(seed=config.seed, device=device, report=report or (lambda _: None))
            model = replace(old).model  # read anew: the old run's own stays as it is
            model.update(data.training, data.split, _not_trained_on(before, data), fit)
            lineage = [*old.data.get("lineage", ()), {"run": old.name, **_fingerprint(old)}]
            write_facts(folder, config, {**data.summary, "lineage": lineage})
            save_model(model, folder, model.work_out(data.dataset))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if latest:
        point_latest(folder)
    return load_run(folder)


def _grown_config(config: RunConfig, logs: Sequence[str | Path], unit: tuple[str, ...]) -> RunConfig:
    if unit and (config.interactions or config.updates) and parse_units(unit) != parse_units(config.unit):
        told = ", ".join(config.unit) or "ms"
        raise ValueError(f"{logs[0]}: --unit {', '.join(unit)}, but the run's own files are in {told}; convert it")
    updates = (*config.updates, *(str(Path(p).resolve()) for p in logs))
    return replace(config, updates=updates, unit=unit or config.unit)


def _fingerprint(run: Run) -> dict[str, object]:
    return {"log_fingerprint": run.data["log_fingerprint"], "views": run.data["views"]}


def _not_trained_on(before: RunData, after: RunData) -> Rows:
    """Training rows of ``after`` that were not among those of ``before``."""
    known, rows = {*before.train_views.keys}, after.split.train
    keys = after.dataset.views.take(rows).keys
    return rows[np.array([key not in known for key in keys], dtype=bool)]
