"""``segmodel pull``."""

from __future__ import annotations

from pathlib import Path

import click

from segmodel.hub.places import KINDS, Kind

from ..printer import Printer, prints
from .options import FILE


@click.command()
@click.argument("repo")
@click.option("-o", "--out", type=FILE, required=True, help="The run's folder, or the store's file; must not exist.")
@click.option(
    "--type", "kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="A run, or a feature store."
)
@click.option("--store", type=FILE, help="Feature store that the run is to read.")
@click.option("--interactions", type=FILE, multiple=True, help="Its watch log, where that is not the store's own.")
@prints
def pull(
    repo: str, out: Path, kind: Kind, store: Path | None, interactions: tuple[Path, ...], printer: Printer
) -> None:
    """Fetch a run or a feature store that somebody pushed to REPO.

    \b
    segmodel pull me/where-they-leave -o runs/theirs --store feats.h5
    segmodel pull ./shared/feats --type dataset -o feats.h5
    """
    from segmodel.hub.places import place
    from segmodel.hub.transfer import pull as fetch

    if kind == "dataset" and (store or interactions):
        raise click.UsageError("--store and --interactions belong to a run, not to a store")
    fetch(place(repo), kind, out, store, interactions)
    printer.result(repo=repo, out=out)
    printer.text(f"{repo} -> {out}")
