"""``segmodel compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from segmodel.models import MODELS

from ..log_columns import LATER_UNIT
from ..printer import Printer, prints
from .options import FILE, trains_grid


@click.command()
@click.argument("runs", nargs=-1, type=FILE)
@click.option("--baselines", default="none", show_default=True, metavar="LIST", help="all, none, or names.")
@click.option(
    "--reference", metavar="NAME", help="What differences are to; default: duration-position, else the first."
)
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Views to measure on; default: the test views.")
@click.option("--history", type=FILE, multiple=True, help="Log with extra views; may be given repeatedly.")
@LATER_UNIT
@click.option("-o", "--out", type=FILE, help="Folder for comparison.md, .csv, .json and .svg.")
@click.option(
    "--fit", "fit", multiple=True, type=click.Choice(list(MODELS)), help="Train this model first, below --out."
)
@click.option("--store", type=FILE, help="Feature store to train on with --fit.")
@trains_grid
@prints
def compare(
    runs: tuple[Path, ...],
    baselines: str,
    reference: str | None,
    logs: tuple[Path, ...],
    history: tuple[Path, ...],
    units: tuple[str, ...],
    out: Path | None,
    fit: tuple[str, ...],
    store: Path | None,
    cuts: tuple[float, ...],
    seeds: tuple[int, ...],
    settings: dict[str, str],
    epochs: int | None,
    device: str,
    printer: Printer,
) -> None:
    """Set runs side by side on the same views, with paired 95 % intervals from resampling users.

    Runs that differ only in seed are one model, as mean ± std; runs with earlier test windows are other cuts of it.

    \b
    segmodel compare runs/paper-1 runs/paper-2 --baselines all -o tables
    segmodel compare --fit paper --fit gbdt-hazard --store feats.h5 --cuts 0.7,0.8,0.9 --seeds 0,1,2 -o tables
    """
    from segmodel.evaluation.comparison_files import write_comparison
    from segmodel.evaluation.markdown import comparison_markdown
    from segmodel.runs.compare import compare as compare_runs
    from segmodel.runs.compare import group_runs
    from segmodel.runs.held_out import baseline_names
    from segmodel.runs.run import load_run
    from segmodel.runs.sweep import fit_grid

    if not (runs or fit):
        raise click.UsageError("give runs to compare, or models to train with --fit")
    if fit and (store is None or out is None):
        raise click.UsageError("--fit needs --store, and --out for the runs")
    if not fit and (given := _given("store", "cuts", "seeds", "settings", "epochs", "device")):
        raise click.UsageError(f"{', '.join(given)}: only with --fit, which trains models; runs are as they are")
    names = baseline_names(baselines)
    opened = [load_run(run) for run in runs]
    if store is not None and out is not None:
        options: dict[str, Any] = {**settings, **({"epochs": epochs} if epochs is not None else {})}
        variants = {model: {**options, "model": model} for model in fit}
        for trained in fit_grid(
            store, variants, out / "runs", cuts=cuts, seeds=seeds, device=device, progress=printer.progress
        ).values():
            opened += trained
    found = compare_runs(
        group_runs(opened),
        names,
        reference,
        logs or None,
        history or None,
        units,
    )
    printer.text(comparison_markdown(found, found.cuts[-1:]).rstrip())
    printer.result(**found.to_json())
    if out:
        write_comparison(found, out)
        printer.text(f"\n-> {out}/comparison.md, .csv, .json, .svg")


def _given(*names: str) -> list[str]:
    """Which of some options stand in the command line, as they are written there."""
    context = click.get_current_context()
    flags = {option.name: option.opts[-1] for option in context.command.params}
    return [flags[name] for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
