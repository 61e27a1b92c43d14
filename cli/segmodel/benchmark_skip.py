"""``segmodel benchmark skip``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ..printer import Printer, prints
from .benchmark_options import Spending, runs_benchmark
from .options import FILE


@click.command()
@click.argument("store", type=FILE)
@click.option("--systems", default="all", show_default=True, metavar="LIST", help="all, or names; see the tables.")
@click.option(
    "--protocol", "protocols", default="paper,masked", show_default=True, metavar="LIST", help="Which tables."
)
@runs_benchmark
@prints
def skip(store: Path, systems: str, protocols: str, spending: Spending, printer: Printer) -> None:
    """Predict skips with every system: Tables 2 and 3 of the paper, with intervals.

    Each system gets the same number of trials on validation views; the best one's settings are fitted with every seed.
    Budget "small": 2 trials, 2 seeds, at most 10 epochs; "default": 16, 3 and 400. An interrupted command goes on where
    it was; systems whose modality the store lacks stand in the tables with the reason.

    \b
    segmodel benchmark skip feats.h5 --budget small --jobs 2 -o tables
    segmodel benchmark skip feats.h5 --systems sasrec,dien,paper-id,hazard-id --seeds 5
    """
    from segmodel.benchmark.budget import BUDGETS
    from segmodel.benchmark.extent import Extent
    from segmodel.benchmark.plan import make_plan
    from segmodel.benchmark.skip import run_skip
    from segmodel.benchmark.skip_table import PROTOCOLS, skip_tables
    from segmodel.benchmark.systems import chosen

    names = [p.strip() for p in protocols.split(",") if p.strip()]
    if not names or any(p not in PROTOCOLS for p in names):
        raise click.UsageError(f"--protocol {protocols}: valid are {', '.join(PROTOCOLS)}")
    picked, out = chosen(systems), spending.out
    budget = replace(BUDGETS[spending.budget], **spending.given)
    plan = make_plan(store, budget, out, spending.options, spending.device)
    tables = skip_tables(picked, run_skip(plan, picked, spending.jobs, printer.progress), names)
    stem = tables.write(out, Extent.of(plan, tables.found.facts, (*names, *(s.name for s in picked))))
    printer.text(tables.markdown().rstrip())
    printer.result(**tables.to_json())
    printer.text(f"\n-> {out}/{stem}.md, .csv, .json, .svg")
