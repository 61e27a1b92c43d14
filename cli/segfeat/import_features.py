"""``segfeat import features``: ready embeddings for a store that is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..printer import Printer, prints

if TYPE_CHECKING:
    from segfeat.importers.features import FeaturesSummary

_FILE = click.Path(path_type=Path)


@click.command("features")
@click.argument("store", type=_FILE)
@click.option("--visual", metavar="FILE", type=_FILE, help="Embeddings of pictures.")
@click.option("--audio", metavar="FILE", type=_FILE, help="Embeddings of sound.")
@click.option("--text", metavar="FILE", type=_FILE, help="Embeddings of words.")
@click.option("--overwrite", is_flag=True, help="Replace features of the same modality.")
@prints
def import_features(
    store: Path, visual: Path | None, audio: Path | None, text: Path | None, overwrite: bool, printer: Printer
) -> None:
    """Add embeddings that another program made to STORE, as features of its segments.

    A FILE is Parquet (a column video_id, one of lists of floats), .npy (beside it NAME.ids.csv with video_id, or
    NAME.ids.txt with an id a line) or HDF5 (video_id and a matrix, or one dataset a video). Where there is a column
    segment, counted from 0, a vector is of a segment, else of a whole video and repeated over its segments. Vectors of
    unknown videos, repeated ones and those with numbers that are not finite are left out and counted.
    """
    from dataclasses import asdict

    from segfeat.importers.features import import_features as add
    from segfeat.types import MODALITIES

    given = dict(zip(MODALITIES, (visual, audio, text), strict=True))
    files = {modality: file for modality, file in given.items() if file is not None}
    if not files:
        raise click.UsageError("name at least one file: --visual, --audio or --text")

    for modality, summary in add(store, files, overwrite).items():
        printer.text(_readable(modality, summary))
        printer.result(**{modality: asdict(summary)})
    printer.text(f"wrote {store}")
    printer.result(store=store)


def _readable(modality: str, summary: FeaturesSummary) -> str:
    spec = summary.encoder
    kind = "video" if spec.per_video else "segment"
    lines = [
        f"{modality:<10} {spec.name}: {spec.dim} numbers a {kind}",
        f"vectors    {summary.vectors:,} read, {summary.used:,} used, {sum(summary.dropped.values()):,} dropped",
        *(f"           {n:,} dropped: {reason}" for reason, n in summary.dropped.items()),
        f"segments   {summary.segments_with:,} of {summary.segments:,} have one; {summary.videos_with:,} of "
        f"{summary.videos:,} videos have all of theirs",
    ]
    return "\n".join(lines)
