"""``segmodel benchmark recommend``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .options import FILE, device


@click.command()
@click.argument("store", type=FILE)
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Watch log; default: the one in the store.")
@click.option("--backbones", default="all", show_default=True, metavar="LIST", help="Columns: all, or names.")
@click.option(
    "--modes", default="all", show_default=True, metavar="LIST", help="Rows: all, or names; video always takes part."
)
@click.option("--budget", type=click.Choice(["small", "default"]), default="default", show_default=True)
@click.option("--trials", type=click.IntRange(1), help="Settings tried per backbone; default: the budget's.")
@click.option("--seeds", type=click.IntRange(1), help="Fits of the chosen settings; default: the budget's.")
@click.option("--epochs", type=click.IntRange(1), help="Most epochs of a fit; default: the budget's.")
@click.option(
    "--folds", type=click.IntRange(1), help="Of cross-fitted interest, 1: the plain way; default: the budget's."
)
@click.option(
    "--split", type=click.Choice(["temporal", "random"]), default="temporal", show_default=True, help="random leaks."
)
@click.option("--train-share", type=float, default=0.8, show_default=True, help="Of each user's views.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Fits at a time.")
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i].")
@click.option(
    "-o", "--out", type=FILE, default=Path("benchmark"), show_default=True, help="Folder of cells and tables."
)
def recommend(
    store: Path,
    logs: tuple[Path, ...],
    backbones: str,
    modes: str,
    budget: str,
    trials: int | None,
    seeds: int | None,
    epochs: int | None,
    folds: int | None,
    split: str,
    train_share: float,
    jobs: int,
    device: str,
    out: Path,
) -> None:
    """Recommend videos by their segments: Table 4 of the paper, with intervals.

    Each backbone gets the same number of trials on validation views in the mode Video; the best settings serve all
    its modes, with every seed. Budget "small": 2 trials, 2 seeds, at most 4 epochs, 2 folds; "default": 8, 3, 30 and 5.
    An interrupted command goes on where it was; modes whose modality the store lacks stand in the tables as – with the
    reason.

    \b
    segmodel benchmark recommend feats.h5 --budget small --jobs 2 -o tables
    segmodel benchmark recommend feats.h5 --backbones din --modes segsum,hazard-id,direct
    """
    from segmodel.benchmark.budget import RECOMMEND_BUDGETS
    from segmodel.benchmark.modes import chosen_backbones, chosen_modes
    from segmodel.benchmark.plan import make_plan
    from segmodel.benchmark.recommend import run_recommend
    from segmodel.benchmark.recommend_table import recommend_tables

    asked = {"trials": trials, "seeds": seeds, "epochs": epochs, "folds": folds}
    given = {k: v for k, v in asked.items() if v is not None}
    options = {"split": split, "train_share": train_share}
    if logs:
        options["interactions"] = [str(path) for path in logs]
    columns, rows = chosen_backbones(backbones), chosen_modes(modes)
    plan = make_plan(store, replace(RECOMMEND_BUDGETS[budget], **given), out, options, device)
    tables = recommend_tables(columns, rows, run_recommend(plan, columns, rows, jobs, _say))
    tables.write(out)
    click.echo(tables.markdown(), nl=False)
    click.echo(f"\n-> {out}/recommend.md, .csv, .json, .svg")


def _say(line: str) -> None:
    click.echo(line, err=True)
