"""``segmodel ablate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from segmodel.models import MODELS

from ..printer import Printer, prints
from .log_options import trains_on_log
from .options import FILE, trains_grid


@click.command()
@click.argument("store", type=FILE)
@trains_on_log
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(list(MODELS)),
    help="May be repeated; default: all that declare ablations.",
)
@click.option("--modalities", help="Of id,visual,audio,text; default: all that the store has.")
@click.option("-o", "--out", type=FILE, default=Path("ablations"), show_default=True, help="Folder of runs and tables.")
@trains_grid
@prints
def ablate(
    store: Path,
    log_options: dict[str, Any],
    models: tuple[str, ...],
    modalities: str | None,
    out: Path,
    cuts: tuple[float, ...],
    seeds: tuple[int, ...],
    settings: dict[str, str],
    epochs: int | None,
    device: str,
    printer: Printer,
) -> None:
    """Train models without each of their parts and with each modality alone; say what each is worth.

    Writes tables, a chart and the runs, in a folder per model; an interrupted command goes on where it was.

    \b
    segmodel ablate feats.h5 --model paper --seeds 0,1,2 --cuts 0.8,0.9 -o ablations
    """
    from segfeat.store.reader import FeatureStore
    from segmodel.evaluation.comparison_files import write_comparison
    from segmodel.evaluation.markdown import comparison_markdown
    from segmodel.runs.compare import compare
    from segmodel.runs.sweep import FULL, ablated_models, ablations, fit_grid, what_there_is

    with FeatureStore(store) as features:
        used = tuple(modalities.split(",")) if modalities else ("id", *features.encoders)
        log = features.interactions
        context = () if log is None else tuple(log.context)
        if "interactions" in log_options:
            context = tuple(log_options.get("context", ()))
        there = what_there_is(features, context)
    options = {**settings, **({"epochs": epochs} if epochs is not None else {}), **log_options}
    for model in models or ablated_models():
        variants = ablations(model, used, there)
        trained = fit_grid(
            store,
            {name: {**options, **variant} for name, variant in variants.items()},
            out / model / "runs",
            cuts=cuts,
            seeds=seeds,
            device=device,
            progress=partial(_say, printer, model),
        )
        found = compare(trained, reference=FULL)
        printer.text(f"# {model}\n\n{comparison_markdown(found, found.cuts[-1:])}")
        write_comparison(found, out / model)
        printer.result(**{model: found.to_json()})
        printer.text(f"-> {out / model}/comparison.md, .csv, .json, .svg\n")


def _say(printer: Printer, model: str, line: str) -> None:
    printer.progress(f"{model}: {line}")
