"""``segmodel train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segmodel.countdown import Countdown
from segmodel.models import DEFAULT, MODELS
from segmodel.runs.loggers import LOGGERS

from ..printer import Printer, prints
from .log_options import trains_on_log
from .options import FILE, device, key_values

if TYPE_CHECKING:
    from segmodel.runs.train import Training


class _SplitCommand(click.Command):
    """Lets ``--split leave-out NAME=VALUE`` be written without quotes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        joined: list[str] = []
        for arg in args:
            if joined and joined[-1] in ("leave-out", "--split=leave-out"):
                joined[-1] += f" {arg}"
            else:
                joined.append(arg)
        return super().parse_args(ctx, joined)


@click.command(cls=_SplitCommand)
@click.argument("store", type=FILE, required=False)
@trains_on_log
@click.option("--modalities", help="Of id,visual,audio,text; default: all that the store has.")
@click.option("--model", type=click.Choice(list(MODELS)), help=f"Default: {DEFAULT}.")
@click.option("--config", type=FILE, help="YAML or JSON file with options and model settings; unknown keys are errors.")
@click.option("--set", "settings", multiple=True, callback=key_values, metavar="KEY=VALUE", help="One model setting.")
@click.option(
    "--split",
    metavar="SPLIT",
    help="temporal (default), random (the paper's; it leaks), or leave-out NAME=VALUE: train without one kind of views "
    "and test on it; NAME is an attribute of the store, a column of the log, or FILE:COLUMN.",
)
@click.option("--train-share", type=float, help="Share of each user's views that train (temporal split). Default: 0.8.")
@click.option("--max-duration-s", type=float, help="Leave out videos of this length or more. Default: 200.")
@click.option("--max-segments", type=int, help="Leave out videos with more segments. Default: 40.")
@click.option("--epochs", type=int, help="At most so many; default: the model's own limit.")
@click.option("--seed", type=int, help="Default: 0.")
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i].")
@click.option("--out", type=FILE, help="Run directory; default: runs/<model>-<number>.")
@click.option("--log-to", multiple=True, type=click.Choice(list(LOGGERS)), help="Training curves; repeatable.")
@click.option("--resume", "resume_run", type=FILE, metavar="RUN", help="Go on with an interrupted run.")
@prints
def train(
    store: Path | None,
    log_options: dict[str, Any],
    modalities: str | None,
    config: Path | None,
    settings: dict[str, str],
    device: str,
    out: Path | None,
    log_to: tuple[str, ...],
    resume_run: Path | None,
    printer: Printer,
    **options: Any,
) -> None:
    """Train a segment-interest model on STORE and its watch log; write a run directory.

    \b
    segmodel train feats.h5
    segmodel train feats.h5 --interactions log.csv --model paper --set d=32 --out runs/small
    segmodel train --resume runs/paper-1
    torchrun --nproc-per-node 4 -m segmodel train feats.h5
    """
    from segmodel.models.world import joined_world
    from segmodel.runs.train import prepare, reopen, resume
    from segmodel.runs.train import train as fit

    if resume_run is not None:
        given = store or log_options or modalities or config or settings or out
        if given or any(v is not None for v in options.values()):
            raise click.UsageError("--resume takes everything from the run; give no other option with it")
    elif store is None:
        raise click.UsageError("give the feature store, as in: segmodel train feats.h5")
    with joined_world(device) as (world, own_device):
        printer.quiet |= not world.leads
        printer.as_json &= world.leads
        if resume_run is not None:
            job = reopen(resume_run)
            report = EpochLine(job, printer)
            run = resume(resume_run, device=own_device, report=report, training=job, log_to=log_to, world=world)
        else:
            assert store is not None
            job = prepare(_config(store, log_options, modalities, config, settings, options))
            if world.leads:
                _describe(job, printer)
            run = fit(job, out, device=own_device, report=EpochLine(job, printer), log_to=log_to, world=world)
    printer.result(run=run.folder, model=run.config.model, **run.data)
    printer.text(f"run: {run.folder}   next: segmodel evaluate, segmodel predict-skip")


def _describe(job: Training, printer: Printer) -> None:
    """What is learned from, and what may be wrong with it."""
    facts = job.data.facts
    counts = facts.views
    printer.text(f"log: {facts.check}")
    if facts.check.warning:
        printer.warn(f"warning: {facts.check.warning}")
    printer.text(f"{facts.text}: {counts['train']:,} train, {counts['valid']:,} validate, {counts['test']:,} test")
    for reason, n in facts.dropped.items():
        printer.text(f"  {n:,} rows left out: {reason}")
    if facts.capped:
        printer.text(f"  {facts.capped:,} exits capped where log and video file disagree on the length")
    if job.config.split == "random":
        printer.warn("warning: the random split leaks the future into training; use it only to compare with the paper")


def _config(
    store: Path,
    log_options: Mapping[str, Any],
    modalities: str | None,
    file: Path | None,
    settings: dict[str, str],
    options: Mapping[str, Any],
) -> Any:
    """The run's configuration: the file's keys, then the command line's over them."""
    from segmodel.runs.config import read_options, run_config

    table = read_options(file) if file else {}
    table.update({k: v for k, v in options.items() if v is not None})
    table.update(settings)
    table.update(log_options)
    if modalities:
        table["modalities"] = modalities
    return run_config(store, table)


class EpochLine:
    """A line for each epoch: member, epoch, its figures, and how long the rest takes at most."""

    def __init__(self, job: Training, printer: Printer) -> None:
        config = job.model.config
        self.members = int(getattr(config, "members", 1))
        self.epochs = int(job.config.epochs or getattr(config, "epochs", 0) or 0)
        self._countdown, self._printer = Countdown(self.members * self.epochs), printer

    def __call__(self, record: Mapping[str, Any]) -> None:
        shown = [f"{k} {v:.4f}" for k, v in record.items() if isinstance(v, float) and not k.endswith("_s")]
        place = f"epoch {record.get('epoch', 0) % max(self.epochs, 1) + 1}/{self.epochs}"
        if "member" in record:
            place = f"member {record['member'] + 1}/{self.members} {place}"
        self._countdown.step()
        rest = self._countdown.rest()
        line = f"{place}  {'  '.join(shown)}  {record.get('epoch_s', 0.0):.1f} s"
        self._printer.progress(f"{line}  at most {rest}" if rest else line)
