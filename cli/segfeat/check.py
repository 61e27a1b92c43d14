"""``segfeat check``: whether a store is still what was written."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
def check(store: Path) -> None:
    """Read every byte of STORE and compare it with the hashes that the store carries; exit 1 if something is wrong."""
    from segfeat.store.check import check_store, left_over

    lines = list(check_store(store))
    for line in lines:
        click.echo(line)
    if store.is_dir():
        for name in left_over(store):
            click.echo(
                f"{store / name}: no part of the store; an interrupted addition left it, and it can go", err=True
            )
    if lines:
        raise ValueError(f"{store}: {len(lines)} of its files are not what was written")
    click.echo(f"{store}: as it was written")
