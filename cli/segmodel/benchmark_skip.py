"""``segmodel benchmark skip``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .options import FILE, device


@click.command()
@click.argument("store", type=FILE)
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Watch log; default: the one in the store.")
@click.option("--systems", default="all", show_default=True, metavar="LIST", help="all, or names; see the tables.")
@click.option(
    "--protocol", "protocols", default="paper,masked", show_default=True, metavar="LIST", help="Which tables."
)
@click.option("--budget", type=click.Choice(["small", "default"]), default="default", show_default=True)
@click.option("--trials", type=click.IntRange(1), help="Settings tried per system; default: the budget's.")
@click.option("--seeds", type=click.IntRange(1), help="Fits of the chosen settings; default: the budget's.")
@click.option("--epochs", type=click.IntRange(1), help="Most epochs of a fit; default: the budget's.")
@click.option(
    "--split", type=click.Choice(["temporal", "random"]), default="temporal", show_default=True, help="random leaks."
)
@click.option("--train-share", type=float, default=0.8, show_default=True, help="Of each user's views.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Fits at a time.")
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i].")
@click.option(
    "-o", "--out", type=FILE, default=Path("benchmark"), show_default=True, help="Folder of cells and tables."
)
def skip(
    store: Path,
    logs: tuple[Path, ...],
    systems: str,
    protocols: str,
    budget: str,
    trials: int | None,
    seeds: int | None,
    epochs: int | None,
    split: str,
    train_share: float,
    jobs: int,
    device: str,
    out: Path,
) -> None:
    """Predict skips with every system: Tables 2 and 3 of the paper, with intervals.

    Each system gets the same number of trials on validation views; the best one's settings are fitted with every seed.
    Budget "small": 2 trials, 2 seeds, at most 10 epochs; "default": 8, 3 and 60. An interrupted command goes on where
    it was; systems whose modality the store lacks stand in the tables with the reason.

    \b
    segmodel benchmark skip feats.h5 --budget small --jobs 2 -o tables
    segmodel benchmark skip feats.h5 --systems sasrec,dien,paper-id,hazard-id --seeds 5
    """
    from segmodel.benchmark.budget import BUDGETS
    from segmodel.benchmark.plan import make_plan
    from segmodel.benchmark.skip import run_skip
    from segmodel.benchmark.systems import chosen
    from segmodel.benchmark.table import PROTOCOLS, skip_tables

    names = [p.strip() for p in protocols.split(",") if p.strip()]
    if not names or any(p not in PROTOCOLS for p in names):
        raise click.UsageError(f"--protocol {protocols}: valid are {', '.join(PROTOCOLS)}")
    given = {k: v for k, v in (("trials", trials), ("seeds", seeds), ("epochs", epochs)) if v is not None}
    options = {"split": split, "train_share": train_share}
    if logs:
        options["interactions"] = [str(path) for path in logs]
    picked = chosen(systems)
    plan = make_plan(store, replace(BUDGETS[budget], **given), out, options, device)
    tables = skip_tables(picked, run_skip(plan, picked, jobs, _say), names)
    tables.write(out)
    click.echo(tables.markdown(), nl=False)
    click.echo(f"\n-> {out}/skip.md, .csv, .json, .svg")


def _say(line: str) -> None:
    click.echo(line, err=True)
