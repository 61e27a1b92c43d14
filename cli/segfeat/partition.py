"""``segfeat partition``: a watch log of any size as Parquet, in partitions of users."""

from __future__ import annotations

from pathlib import Path

import click

from segfeat.interactions import MAX_DURATION_S

from ..log_columns import CONTEXT, UNIT
from ..printer import Printer, prints


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--partitions", default=64, show_default=True, type=click.IntRange(min=1), help="Of about equal size.")
@click.option("--memory-mb", default=2048, show_default=True, type=click.IntRange(min=100), help="Before it spills.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: as many as there are cores.")
@click.option(
    "--max-duration-s", default=MAX_DURATION_S, show_default=True, help="Leave out videos this long or longer."
)
@CONTEXT
@UNIT
@prints
def partition(
    logs: tuple[Path, ...],
    out: Path,
    partitions: int,
    memory_mb: int,
    threads: int | None,
    max_duration_s: float,
    context: tuple[str, ...],
    units: tuple[str, ...],
    printer: Printer,
) -> None:
    """Write the usable views of logs (CSV, CSV.gz or Parquet) as Parquet, partitioned by user, sorted by time.

    For logs that do not fit into memory; needs DuckDB. Rows that cannot be used are left out and counted.
    """
    from segfeat.importers.partitions import partition_log
    from segfeat.log_check import parse_units

    log = partition_log(
        logs,
        out,
        partitions=partitions,
        memory_mb=memory_mb,
        threads=threads,
        max_duration_s=max_duration_s,
        context=context,
        unit_ms=parse_units(units),
    )
    printer.text(f"rows       {len(log) + sum(log.dropped.values()):,} read, {len(log):,} used")
    for reason, count in log.dropped.items():
        printer.text(f"           {count:,} dropped: {reason}")
    printer.text(f"wrote {out}: {log.partitions} partitions of at most {max(log.views):,} views")
    printer.result(folder=out, partitions=log.partitions, views=len(log), dropped=log.dropped, context=log.context)
