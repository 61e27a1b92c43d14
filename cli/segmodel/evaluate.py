"""``segmodel evaluate``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..printer import Printer, prints
from .options import FILE, TABLE, reads_run

if TYPE_CHECKING:
    from segmodel.evaluation.evaluation import Evaluation
    from segmodel.evaluation.metric import Metric
    from segmodel.evaluation.reliability import Reliability
    from segmodel.evaluation.slices import SliceTable

_SHOWN = ("all", "warm video", "cold video", "warm user", "cold user")
"""Groups of the printed table; the JSON has all."""

_PROTOCOLS = ("paper", "masked")

_RANKING = ("hr@1", "hr@5", "hr@10", "ndcg@5", "ndcg@10")
"""Metrics that each protocol has."""

_OTHER = ("nll", "watch_error_s", "xauc")


@click.command()
@reads_run
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Views to measure on; default: the test views.")
@click.option(
    "--baselines",
    default="positions",
    show_default=True,
    metavar="LIST",
    help="Models fitted on the run's training views for comparison: positions, all, none, or names.",
)
@click.option(
    "--slices",
    multiple=True,
    metavar="NAME",
    help="Where the run does worse: FILE:COLUMN[,…] of a table with user_id or video_id, an attribute of the store, a "
    "column of the log, or all (those that need no file).",
)
@click.option("--per-view", type=TABLE, help="Write every metric of every view and model: .csv, .parquet, .json.")
@prints
def evaluate(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    logs: tuple[Path, ...],
    baselines: str,
    slices: tuple[str, ...],
    per_view: Path | None,
    printer: Printer,
) -> None:
    """Measure a run on views that it was not trained on, beside simple models that it should beat.

    Two ranking protocols: the paper's (40 slots, completion counts as slot N) and the masked one (only skipped views
    and real segments). Ties count against the model. N@K is NDCG@K, NLL the negative log-likelihood of the true exit.

    \b
    segmodel evaluate
    segmodel evaluate --run runs/paper-1 --interactions later.csv --baselines all --per-view views.csv
    """
    from segmodel.evaluation.evaluation import jsonable, write_per_view
    from segmodel.runs.held_out import POSITION_BASELINES, Measured, baseline_names, measure_parts, measure_run
    from segmodel.runs.predictor import open_predictor
    from segmodel.runs.slices import measured_slices

    names = POSITION_BASELINES if baselines == "positions" else baseline_names(baselines)
    with open_predictor(run, store, history, units) as predictor:
        measured: Measured
        table = None
        if predictor.data.in_parts and not (logs or history or slices):
            measured = measure_parts(predictor, names)
        else:
            measured = whole = measure_run(predictor, predictor.data.read(logs) if logs else None, names)
            table = measured_slices(whole, [s for s in slices if s != "all"]) if slices else None
    found, title = measured.evaluations, measured.name
    for line in measured.warnings:
        printer.warn(f"warning: {line}")
    if printer.as_json:
        printer.result(run=title, models={name: e.to_json() for name, e in found.items()})
        if table:
            printer.result(slices=jsonable(table.to_frame().to_dict("records")), reference=table.reference)
    elif not printer.quiet:
        _show(found, title)
        if table:
            _show_slices(table)
    if per_view:
        write_per_view(found, per_view)
        say = printer.progress if printer.as_json else printer.text
        say(f"{len(measured.own.views):,} views × {len(found)} models -> {per_view}")


def _show(found: Mapping[str, Evaluation], run: str) -> None:
    """A block of rows per group of views, then the calibration of the run."""
    from segmodel.evaluation.view_metrics import ALL_METRICS

    width = max(24, *(len(name) + 2 for name in found))
    ranking = [[ALL_METRICS[f"{p}_{m}"] for m in _RANKING] for p in _PROTOCOLS]
    other = [ALL_METRICS[m] for m in _OTHER]
    own = found[run]
    summaries = {name: e.summaries() for name, e in found.items()}
    for group in _SHOWN:
        if group not in own.summaries() or (group != "all" and own.groups[group].all()):
            continue
        counts = summaries[run][group]
        paper, masked = (f"{p} protocol ({counts[f'{p}_views']:,.0f})" for p in _PROTOCOLS)
        title = f"{group}: {counts['views']:,.0f} views"
        click.echo(f"\n{title:<{width}}{paper:^30}  {masked:^30}" + "".join(f"{m.title:>{_width(m)}}" for m in other))
        heads = "  ".join("".join(f"{m.title:>6}" for m in metrics) for metrics in ranking)
        click.echo(f"{'':<{width}}{heads}" + "".join(f"{m.unit:>{_width(m)}}" for m in other).rstrip())
        for name in found:
            row = summaries[name][group]
            ranks = ("".join(_number(row[m.name], 6, m.digits) for m in metrics) for metrics in ranking)
            rest = "".join(_number(row[m.name], _width(m), m.digits) for m in other)
            click.echo(f"{name:<{width}}" + "  ".join(ranks) + rest)
    click.echo(
        f"\ncalibration of {run} in 10 equal bins: expected error, and what chance alone stays under in 19 of 20"
    )
    for what, curve in (("P(completes)", own.completes()), ("P(leaves in the first segment)", own.leaves_first())):
        click.echo(f"  {what:<32}{_calibration(curve)}")


def _width(metric: Metric) -> int:
    return metric.digits + 4


def _show_slices(table: SliceTable) -> None:
    """The slices, worst first."""
    click.echo(
        f"\nslices, worst first: how much less the run is ahead of {table.reference} there than on the rest, in nats, "
        "with its 95 % interval over users; * stands out among all of them"
    )
    for f in table.figures:
        span = f"{f.gap.mean:+.4f} [{f.gap.low:+.4f}, {f.gap.high:+.4f}]{'*' if f.marked else ' '}"
        click.echo(f"  {f.source:<20} {f.value[:24]:<24} {f.views:>8,} views  NLL {f.nll:.4f}  {span}")
    if table.small:
        click.echo(f"  {table.small:,} slices have too few views or users, or leave too few")


def _calibration(curve: Reliability) -> str:
    return f"{curve.ece:.3f}   chance {curve.chance_ece:.3f}"


def _number(value: float, width: int, digits: int) -> str:
    return f"{'–':>{width}}" if math.isnan(value) else f"{value:>{width}.{digits}f}"
