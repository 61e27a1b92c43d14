"""Training: a store and a log in, a run directory out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segfeat.store.reader import FeatureStore
from segmodel.data.parts import TRAIN, VALID
from segmodel.models import DEFAULT, make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.models.training import CHECKPOINT
from segmodel.models.world import ALONE, ProcessLost, World
from segmodel.runs.config import RunConfig
from segmodel.runs.data import RunData, open_data
from segmodel.runs.loggers import logging_to
from segmodel.runs.run import RUNS, Run, load_run, point_latest, read_config, read_records, save_model, write_facts

Report = Callable[[Mapping[str, Any]], None]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training, which can be resumed.

    Attributes
    ----------
    folder : Path
        Of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"interrupted; go on with: segmodel train --resume {folder}")
        self.folder = folder


@dataclass(frozen=True)
class Training:
    """A training about to start: everything read and checked, nothing written."""

    model: SegmentModel
    data: RunData

    @property
    def config(self) -> RunConfig:
        """What the run will be, with all settings of its model."""
        return self.data.config


def prepare(config: RunConfig, begun: bool = False) -> Training:
    """Read store and log, and check that there is something to learn from.

    Parameters
    ----------
    config : RunConfig
    begun : bool
        It is the configuration of a run, which records all settings: its modalities were not asked for by name.

    Raises
    ------
    ValueError
        For unknown models, settings or modalities, and where no view is left to train or validate on.
    """
    settings = dict(config.settings)
    model = make_model(config.model, settings)
    if hasattr(model.config, "max_segments") and "max_segments" not in settings:
        model = make_model(config.model, {**settings, "max_segments": config.max_segments})
    store = FeatureStore(config.store)
    wanted = getattr(model.config, "modalities", ()) if "modalities" in settings and not begun else ()
    if missing := [m for m in wanted if m not in (*store.encoders, "id")]:
        raise ValueError(
            f"{store.path} has no {', '.join(missing)} features; it has {', '.join(store.encoders) or 'none'}"
        )
    data = open_data(replace(config, settings=model.settings()), store)
    facts = data.facts
    if not facts.views[TRAIN] or not facts.views[VALID]:
        dropped = ", ".join(f"{n:,} × {r}" for r, n in facts.dropped.items()) or "none"
        raise ValueError(
            f"nothing to learn from: {facts.views[TRAIN]:,} training and {facts.views[VALID]:,} validation views "
            f"(users need at least 5 views; rows dropped: {dropped})"
        )
    return Training(model, data)


def train(
    job: Training,
    out: str | Path | None = None,
    *,
    device: str = "cpu",
    report: Report | None = None,
    latest: bool = True,
    log_to: Sequence[str] = (),
    world: World = ALONE,
) -> Run:
    """Fit a model and write its run directory.

    Parameters
    ----------
    job : Training
        From :func:`prepare`.
    out : path, optional
        The run directory; must not exist. Default: ``runs/<model>-<number>``.
    device : str
    report : callable, optional
        Receives each epoch's record.
    latest : bool
        Let ``runs/latest`` point at the run when it has ended well.
    log_to : sequence of str
        Names of :data:`segmodel.runs.loggers.LOGGERS`.
    world : World
        The processes that train together; the leading one writes.

    Raises
    ------
    ValueError
        If ``out`` exists, or the model trains in one process alone.
    """
    folder = Path(world.told(str(out if out else next_folder(job.config.model))))
    there = folder.exists()
    world.told("all have looked")
    if there:
        raise ValueError(f"{folder} exists; choose another --out, or go on with --resume {folder}")
    if world.size > 1 and not job.model.trains_together:
        raise ValueError(f"model {job.config.model} trains in one process; start it without torchrun")
    if world.leads:
        folder.mkdir(parents=True)
        write_facts(folder, job.config, job.data.summary)
    world.told("the folder is there")
    return _fit(job, folder, device, report, latest, log_to, world)


def resume(
    folder: str | Path,
    *,
    device: str = "cpu",
    report: Report | None = None,
    training: Training | None = None,
    log_to: Sequence[str] = (),
    world: World = ALONE,
) -> Run:
    """Go on with an interrupted training; it ends with the weights of an uninterrupted one.

    Raises
    ------
    ValueError
        If the folder is no run, has ended already, or its store or log has changed since.
    """
    folder = Path(folder)
    return _fit(training or reopen(folder), folder, device, report, True, log_to, world)


def reopen(folder: str | Path) -> Training:
    """The interrupted training in a folder, ready to go on; errors as :func:`resume`."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: no run to resume")
    if (folder / "model").exists():
        raise ValueError(f"{folder}: its training has ended; nothing to resume")
    job = prepare(read_config(folder), begun=True)
    recorded = json.loads((folder / "data.json").read_text())
    for key in ("store_hash", "log_fingerprint"):
        if recorded[key] != job.data.summary[key]:
            raise ValueError(f"{folder}: {key.split('_')[0]} has changed since the training began; start a new run")
    return job


def _fit(
    job: Training,
    folder: Path,
    device: str,
    report: Report | None,
    latest: bool,
    log_to: Sequence[str],
    world: World,
) -> Run:
    try:
        with logging_to(log_to if world.leads else (), folder, asdict(job.config)) as log:
            return _fitted(job, folder, device, report, latest, log, world)
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(folder) from error
    except Exception as error:
        # Without a checkpoint there is nothing to go on with.
        begun = any(folder.rglob(CHECKPOINT))
        if not begun:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ProcessLost):
            cure = f"go on with --resume {folder} under torchrun" if begun else "no epoch had ended; start it again"
            raise ProcessLost(f"{error}; {cure}") from error
        raise


def _fitted(
    job: Training, folder: Path, device: str, report: Report | None, latest: bool, log: Report, world: World
) -> Run:
    metrics = folder / "metrics.jsonl"
    # The checkpoint is newer than the last line or as old; a record written twice would show the epoch twice.
    seen = {record["epoch"] for record in read_records(metrics)}

    def record(line: Mapping[str, Any]) -> None:
        if not world.leads:
            return
        if line["epoch"] not in seen:
            with metrics.open("a") as file:
                file.write(json.dumps(dict(line)) + "\n")
            log(line)
        if report:
            report(line)

    job.data.fit(
        job.model,
        FitRun(job.config.seed, device, job.config.epochs, folder, record, world),
    )
    if world.leads:
        save_model(job.model, folder, {} if job.data.in_parts else job.model.work_out(job.data.dataset))
        (folder / CHECKPOINT).unlink(missing_ok=True)
        if latest:
            point_latest(folder)
    world.told("the model is there")
    return load_run(folder)


def next_folder(model: str) -> Path:
    """The next ``runs/<model>-<number>`` that is not there."""
    numbers = [int(m[1]) for p in RUNS.glob(f"{model}-*") if (m := re.fullmatch(rf"{re.escape(model)}-(\d+)", p.name))]
    return RUNS / f"{model}-{max(numbers, default=0) + 1}"


__all__ = ["DEFAULT", "Training", "prepare", "resume", "train"]
