"""``segfeat import``: watch logs in public formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segfeat.importers import IMPORTERS
from segfeat.importers.ready_features import DTYPES, SEGMM_DIM, ReadyFeatures
from segfeat.interactions import MAX_DURATION_S
from segfeat.segment import SEGMENT_S

from ..log_columns import CONTEXT, UNIT
from ..names import names
from ..printer import Printer, prints
from .import_features import import_features

if TYPE_CHECKING:
    from segfeat.importers.summary import ImportSummary, TableSummary


class _Import(click.Group):
    """``import FORMAT LOG...``, a command as any other, and ``import features STORE``, which takes no log."""

    allow_interspersed_args = True
    allow_extra_args = False

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == [import_features.name]:
            return import_features.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        return click.Command.invoke(self, ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return click.Command.collect_usage_pieces(self, ctx)


@click.command("import", cls=_Import, commands=[import_features])
@click.argument("format_name", metavar="FORMAT", type=click.Choice(list(IMPORTERS)))
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The store to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing store.")
@click.option("--metadata", type=click.Path(path_type=Path), help="A table with one row for each video.")
@click.option("--users", type=click.Path(path_type=Path), help="A table with one row for each user.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME[,NAME]",
    callback=names,
    help="Columns of --metadata to keep as attributes, instead of the usual ones.",
)
@click.option("--text", default="none", show_default=True, metavar="ENCODER", help="Encode titles, one vector a video.")
@CONTEXT
@UNIT
@click.option("--device", default="auto", show_default=True, help="Where --text runs: auto, cpu, cuda or cuda:N.")
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
@prints
def import_log(
    format_name: str,
    logs: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    metadata: Path | None,
    users: Path | None,
    attributes: tuple[str, ...],
    text: str,
    context: tuple[str, ...],
    units: tuple[str, ...],
    device: str,
    max_duration_s: float,
    segment_seconds: float,
    features: Path | None,
    index: Path | None,
    dim: int,
    dtype: str,
    printer: Printer,
) -> None:
    """Write a store from watch logs (CSV, CSV.gz or Parquet) without raw videos.

    FORMAT is the data set that the files are from, by its own column names, or csv, which takes any of the names that
    they use. Durations come from the log. Rows that cannot be used are left out and counted.

    Of --metadata the columns title, caption and description are words. Without --attribute, the public data sets keep
    the attributes that they have published; of other tables a column is kept if its name ends in id, ids, tag or
    tags, or if it has at most half as many categories as rows with one and is no number with fractions. A cell may
    hold several categories, with "|" between them. Of --users the same columns are kept.

    segfeat import features adds ready embeddings to a store that is there already.
    """
    if (features is None) != (index is None):
        raise click.UsageError("--features and --index belong together")
    from dataclasses import asdict

    from segfeat.importers.log import import_log as write
    from segfeat.log_check import parse_units

    ready = ReadyFeatures(features, index, dim, dtype) if features and index else None
    summary = write(
        format_name,
        logs,
        out,
        ready,
        segment_seconds,
        max_duration_s,
        overwrite,
        metadata=metadata,
        users=users,
        text=text,
        attributes=attributes or None,
        context=context,
        device=device,
        unit_ms=parse_units(units),
    )
    printer.text(_readable(summary, out))
    printer.result(**asdict(summary), store=out)


def _readable(summary: ImportSummary, out: Path) -> str:
    share = summary.completed / summary.views
    lines = [
        f"log        {summary.check}",
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
    if summary.metadata:
        lines += _table("metadata", summary.metadata, summary.videos, "videos")
        if summary.only_described:
            unknown = summary.only_described - summary.only_described_with_length
            lines.append(
                f"           {summary.only_described:,} videos without a view, {unknown:,} of them of unknown length"
            )
        encoded = f"encoded by {summary.words_encoder}" if summary.words_encoder else "not encoded; see --text"
        if summary.videos_with_words:
            lines.append(f"words      about {summary.videos_with_words:,} videos, {encoded}")
    if summary.user_table:
        lines += _table("users", summary.user_table, summary.users, "users")
    if summary.context:
        lines.append(f"context    {_counted(summary.context)}")
    return "\n".join([*lines, f"wrote {out}"])


def _table(name: str, table: TableSummary, in_log: int, what: str) -> list[str]:
    lines = [
        f"{name:<10} about {table.of_log:,} of the log's {in_log:,} {what}; {table.rows:,} rows",
        *(f"           {n:,} rows dropped: {reason}" for reason, n in table.dropped.items()),
        f"           attributes {_counted(table.attributes) or 'none'}",
    ]
    if table.left_out:
        reasons = ", ".join(f"{column} ({why})" for column, why in table.left_out.items())
        lines.append(f"           left out {reasons}")
    return lines


def _counted(categories: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n:,})" for name, n in categories.items())
