"""``segfeat check``: whether a store is still what was written."""

from __future__ import annotations

from pathlib import Path

import click

from ..printer import Printer, prints
from ..run import FAILED, FINISHED


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@prints
def check(store: Path, printer: Printer) -> int:
    """Read every byte of STORE and compare it with the hashes that the store carries; exit 1 if something is wrong."""
    from segfeat.store.check import check_store, left_over

    wrong = list(check_store(store))
    for line in wrong:
        printer.text(line)
    left = [str(store / name) for name in left_over(store)] if store.is_dir() else []
    for path in left:
        printer.warn(f"{path}: no part of the store; an interrupted addition left it, and it can go")
    if wrong:
        printer.warn(f"error: {store}: {len(wrong)} of its files are not what was written")
    else:
        printer.text(f"{store}: as it was written")
    printer.result(store=store, wrong=wrong, left_over=left)
    return FAILED if wrong else FINISHED
