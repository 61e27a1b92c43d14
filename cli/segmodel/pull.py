"""``segmodel pull``."""

from __future__ import annotations

from pathlib import Path

import click

from segmodel.hub.places import KINDS, Kind

from .options import FILE


@click.command()
@click.argument("repo")
@click.option("-o", "--out", type=FILE, required=True, help="The run's folder, or the store's file; must not exist.")
@click.option(
    "--type", "kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="A run, or a feature store."
)
@click.option("--store", type=FILE, help="Feature store that the run is to read.")
@click.option("--interactions", type=FILE, multiple=True, help="Its watch log, where that is not the store's own.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def pull(repo: str, out: Path, kind: Kind, store: Path | None, interactions: tuple[Path, ...], quiet: bool) -> None:
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
    if not quiet:
        click.echo(f"{repo} -> {out}")
