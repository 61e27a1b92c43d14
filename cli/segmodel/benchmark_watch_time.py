"""``segmodel benchmark watch-time``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ..printer import Printer, prints
from .benchmark_options import Spending, runs_benchmark
from .options import FILE


@click.command("watch-time")
@click.argument("store", type=FILE)
@click.option("--systems", default="all", show_default=True, metavar="LIST", help="all, or names; see the tables.")
@runs_benchmark
@prints
def watch_time(store: Path, systems: str, spending: Spending, printer: Printer) -> None:
    """Predict watch time with the methods of its own field, beside the default model.

    MAE, XAUC, XGAUC (within users), CRPS, and the calibration of the 10, 50 and 90 % quantiles, by the video's length.
    Each system gets the same number of trials, judged by CRPS on validation views; the best one's settings are fitted
    with every seed. Budget "small": 2 trials, 2 seeds, at most 10 epochs; "default": 16, 3 and 400. An interrupted
    command goes on where it was.

    \b
    segmodel benchmark watch-time feats.h5 --budget small -o tables
    segmodel benchmark watch-time feats.h5 --systems d2q,cqe,hazard-id --seeds 5
    """
    from segmodel.benchmark.budget import BUDGETS
    from segmodel.benchmark.extent import Extent
    from segmodel.benchmark.plan import make_plan
    from segmodel.benchmark.systems import chosen
    from segmodel.benchmark.watch_time import WATCH_SYSTEMS, run_watch
    from segmodel.benchmark.watch_time_table import watch_tables

    picked, out = chosen(systems, WATCH_SYSTEMS), spending.out
    plan = make_plan(store, replace(BUDGETS[spending.budget], **spending.given), out, spending.options, spending.device)
    tables = watch_tables(picked, run_watch(plan, picked, spending.jobs, printer.progress))
    stem = tables.write(out, Extent.of(plan, tables.found.facts, (s.name for s in picked)))
    printer.text(tables.markdown().rstrip())
    printer.result(**tables.to_json())
    printer.text(f"\n-> {out}/{stem}.md, .json")
