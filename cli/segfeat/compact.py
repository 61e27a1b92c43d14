"""``segfeat compact``: a store as one file, or in parts."""

from __future__ import annotations

from pathlib import Path

import click

from ..printer import Printer, prints

_MEGABYTE = 1_000_000


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The store to write.")
@click.option("--part-mb", default=2000, show_default=True, type=click.IntRange(min=1), help="Size of a part.")
@prints
def compact(store: Path, out: Path, part_mb: int, printer: Printer) -> None:
    """Write STORE anew: in parts where OUT is a folder or a name without suffix, else as one file.

    Many small parts become few large ones, and rows that later additions have replaced are left out.
    STORE itself stays as it is.
    """
    from segfeat.store.conversion import compact as write
    from segfeat.store.reader import FeatureStore

    write(store, out, part_mb * _MEGABYTE)
    with FeatureStore(out) as written:
        printer.text(f"wrote {out}: {len(written):,} videos, {written.segment_total:,} segments")
        printer.result(store=out, videos=len(written), segments=written.segment_total)
