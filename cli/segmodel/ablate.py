"""``segmodel ablate``."""

from __future__ import annotations

from pathlib import Path

import click

from segmodel.ablate import ABLATIONS, FULL

from .options import FILE, trains_grid


@click.command()
@click.argument("store", type=FILE)
@click.option("--interactions", "logs", type=FILE, multiple=True, help="Watch log; default: the one in the store.")
@click.option("--model", type=click.Choice(list(ABLATIONS)), default=next(iter(ABLATIONS)), show_default=True)
@click.option("--modalities", help="Of id,visual,audio,text; default: all that the store has.")
@click.option("-o", "--out", type=FILE, default=Path("ablations"), show_default=True, help="Folder of runs and tables.")
@trains_grid
def ablate(
    store: Path,
    logs: tuple[Path, ...],
    model: str,
    modalities: str | None,
    out: Path,
    cuts: tuple[float, ...],
    seeds: tuple[int, ...],
    settings: dict[str, str],
    epochs: int | None,
    device: str,
) -> None:
    """Train a model without each of its parts and with each modality alone; say what each is worth.

    Writes a table, a chart and the runs; an interrupted command goes on where it was.

    \b
    segmodel ablate feats.h5 --seeds 0,1,2 --cuts 0.8,0.9 -o ablations
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
    variants = ablations(model, tuple(modalities.split(",")) if modalities else there)
    trained = fit_grid(
        store,
        {name: {**options, **variant} for name, variant in variants.items()},
        out / "runs",
        cuts=cuts,
        seeds=seeds,
        device=device,
        progress=lambda line: click.echo(line, err=True),
    )
    found = compare(trained, reference=FULL)
    click.echo(found.markdown(found.cuts[-1:]), nl=False)
    found.write(out)
    click.echo(f"\n-> {out}/comparison.md, .csv, .json, .svg")
