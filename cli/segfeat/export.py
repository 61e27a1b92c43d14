"""``segfeat export``: a store as files of other tools."""

from __future__ import annotations

from pathlib import Path

import click

from segfeat.exporters import EXPORTERS

from ..printer import Printer, prints


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--format",
    "format_name",
    default=next(iter(EXPORTERS)),
    show_default=True,
    type=click.Choice(list(EXPORTERS)),
    help="What the segments are written as.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
@prints
def export(store: Path, out: Path, format_name: str, overwrite: bool, printer: Printer) -> None:
    """Write STORE as files that other tools read, one row a segment.

    parquet: segments.parquet with a list of numbers for each modality. npy: an array for each modality and
    segments.csv. webdataset: tar files with a sample a segment. All of them have videos, users, failures and the watch
    log as Parquet beside, and store.json with the encoders.
    """
    from segfeat.exporters.export import export_store

    segments = export_store(store, out, format_name, overwrite)
    printer.text(f"wrote {out}: {segments:,} segments as {format_name}")
    printer.result(out=out, format=format_name, segments=segments)
