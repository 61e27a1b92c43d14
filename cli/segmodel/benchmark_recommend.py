"""``segmodel benchmark recommend``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ..printer import Printer, prints
from .benchmark_options import Spending, runs_benchmark
from .options import FILE


@click.command()
@click.argument("store", type=FILE)
@click.option("--backbones", default="all", show_default=True, metavar="LIST", help="Columns: all, or names.")
@click.option(
    "--modes", default="all", show_default=True, metavar="LIST", help="Rows: all, or names; video always takes part."
)
@click.option(
    "--folds", type=click.IntRange(1), help="Of cross-fitted interest, 1: the plain way; default: the budget's."
)
@runs_benchmark
@prints
def recommend(store: Path, backbones: str, modes: str, folds: int | None, spending: Spending, printer: Printer) -> None:
    """Recommend videos by their segments: Table 4 of the paper, with intervals.

    Each backbone gets the same number of trials on validation views in the mode Video; the best settings serve all
    its modes, with every seed. Budget "small": 2 trials, 2 seeds, at most 8 epochs, 2 folds; "default": 16, 3, 60, 5.
    An interrupted command goes on where it was; modes whose modality the store lacks stand in the tables as – with the
    reason.

    \b
    segmodel benchmark recommend feats.h5 --budget small --jobs 2 -o tables
    segmodel benchmark recommend feats.h5 --backbones din --modes segsum,hazard-id,direct
    """
    from segmodel.benchmark.budget import RECOMMEND_BUDGETS
    from segmodel.benchmark.extent import Extent
    from segmodel.benchmark.plan import make_plan
    from segmodel.benchmark.recommend import run_recommend
    from segmodel.benchmark.recommend_table import recommend_tables
    from segmodel.benchmark.weightings import chosen_backbones, chosen_modes

    columns, rows, out = chosen_backbones(backbones), chosen_modes(modes), spending.out
    given = {**spending.given, **({"folds": folds} if folds is not None else {})}
    plan = make_plan(
        store, replace(RECOMMEND_BUDGETS[spending.budget], **given), out, spending.options, spending.device
    )
    tables = recommend_tables(columns, rows, run_recommend(plan, columns, rows, spending.jobs, printer.progress))
    stem = tables.write(out, Extent.of(plan, tables.found.facts, (*columns, *(mode.name for mode in rows))))
    printer.text(tables.markdown().rstrip())
    printer.result(**tables.to_json())
    printer.text(f"\n-> {out}/{stem}.md, .csv, .json, .svg")
