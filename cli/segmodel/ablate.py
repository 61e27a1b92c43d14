"""``segmodel ablate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from segmodel.ablate import ABLATIONS, FULL

from .options import FILE, trains_grid


@click.command()
@click.argument("store", type=FILE)
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Watch log; default: the one in the store.")
@click.option(
    "--model", "models", multiple=True, type=click.Choice(list(ABLATIONS)), help="May be repeated; default: all."
)
@click.option("--modalities", help="Of id,visual,audio,text; default: all that the store has.")
@click.option("-o", "--out", type=FILE, default=Path("ablations"), show_default=True, help="Folder of runs and tables.")
@trains_grid
def ablate(
    store: Path,
    logs: tuple[Path, ...],
    models: tuple[str, ...],
    modalities: str | None,
    out: Path,
    cuts: tuple[float, ...],
    seeds: tuple[int, ...],
    settings: dict[str, str],
    epochs: int | None,
    device: str,
) -> None:
    """Train models without each of their parts and with each modality alone; say what each is worth.

    Writes tables, a chart and the runs, in a folder per model; an interrupted command goes on where it was.

    \b
    segmodel ablate feats.h5 --model paper --seeds 0,1,2 --cuts 0.8,0.9 -o ablations
    """
    from segfeat.store import FeatureStore
    from segmodel.ablate import ablations
    from segmodel.compare import compare
    from segmodel.grid import fit_grid

    with FeatureStore(store) as features:
        there = ("id", *features.encoders)
    options = {**settings, **({"epochs": epochs} if epochs else {})}
    if logs:
        options["interactions"] = [str(path) for path in logs]
    for model in models or ABLATIONS:
        variants = ablations(model, tuple(modalities.split(",")) if modalities else there)
        trained = fit_grid(
            store,
            {name: {**options, **variant} for name, variant in variants.items()},
            out / model / "runs",
            cuts=cuts,
            seeds=seeds,
            device=device,
            progress=partial(_say, model),
        )
        found = compare(trained, reference=FULL)
        click.echo(f"# {model}\n\n{found.markdown(found.cuts[-1:])}")
        found.write(out / model)
        click.echo(f"-> {out / model}/comparison.md, .csv, .json, .svg\n")


def _say(model: str, line: str) -> None:
    click.echo(f"{model}: {line}", err=True)
