"""``segfeat import``: watch logs in public formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from segfeat.importers import FORMATS
from segfeat.importers.ready_features import DTYPES, SEGMM_DIM, ReadyFeatures
from segfeat.interactions import MAX_DURATION_S
from segfeat.segment import SEGMENT_S

if TYPE_CHECKING:
    from segfeat.importers.log import ImportSummary


@click.command("import")
@click.argument("format_name", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The store to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing store.")
@click.option(
    "--max-duration-s", default=MAX_DURATION_S, show_default=True, help="Leave out videos this long or longer."
)
@click.option("--segment-seconds", default=SEGMENT_S, show_default=True, help="Segment length.")
@click.option("--features", type=click.Path(path_type=Path), help="Raw matrix of ready-made visual features.")
@click.option("--index", type=click.Path(path_type=Path), help='JSON: "VIDEO-SEGMENT" to row of the matrix.')
@click.option("--dim", default=SEGMM_DIM, show_default=True, help="Numbers a row of the matrix.")
@click.option(
    "--dtype",
    default=DTYPES[0],
    show_default=True,
    type=click.Choice(DTYPES),
    help="Number type of the matrix.",
)
def import_log(
    format_name: str,
    logs: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    max_duration_s: float,
    segment_seconds: float,
    features: Path | None,
    index: Path | None,
    dim: int,
    dtype: str,
) -> None:
    """Write a store from watch logs (CSV, CSV.gz or Parquet) without raw videos.

    FORMAT is segmm (playing_time), kuairand (play_time_ms), or csv, which takes either name. Durations come from the
    log. Rows that cannot be used are left out and counted.
    """
    if (features is None) != (index is None):
        raise click.UsageError("--features and --index belong together")
    from segfeat.importers.log import import_log as write

    ready = ReadyFeatures(features, index, dim, dtype) if features and index else None
    summary = write(format_name, logs, out, ready, segment_seconds, max_duration_s, overwrite)
    click.echo(_readable(summary, out))


def _readable(summary: ImportSummary, out: Path) -> str:
    share = summary.completed / summary.views
    lines = [
        f"rows       {summary.rows_read:,} read, {summary.views:,} used, {sum(summary.dropped.values()):,} dropped",
        *(f"           {n:,} dropped: {reason}" for reason, n in summary.dropped.items()),
        f"users      {summary.users:,}",
        f"videos     {summary.videos:,} with {summary.segments:,} segments",
        f"completed  {share:.1%} of the views",
    ]
    if summary.several_durations:
        lines.append(
            f"durations  {summary.several_durations:,} videos have rows that disagree; the most frequent was taken"
        )
    if summary.segments_with_features:
        missing = summary.segments - summary.segments_with_features
        lines.append(
            f"features   for {summary.segments_with_features:,} segments ({missing:,} missing); "
            f"{summary.videos_with_features:,} videos have all of theirs"
        )
    return "\n".join([*lines, f"wrote {out}"])
