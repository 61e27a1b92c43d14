"""``segfeat status``: how far an extraction is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from segmodel.countdown import clock

from ..printer import Printer, prints
from ..run import FINISHED


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@prints
def status(store: Path, printer: Printer) -> int:
    """Say whether an extraction into STORE is running, interrupted or finished, and how far it is."""
    from segfeat.pipeline.job import job_folder, read_progress

    progress, running = read_progress(store)
    if progress is None:
        if not store.exists():
            raise ValueError(f"neither {store} nor an extraction into it is there")
        from segfeat.store.reader import FeatureStore

        with FeatureStore(store) as opened:
            counts = {
                "videos": len(opened), "segments": opened.segment_total, "failures": len(opened.failures)
            }  # fmt: skip
        printer.text("finished: {videos:,} videos, {segments:,} segments, {failures:,} failed files".format(**counts))
        printer.result(state="finished", **counts)
        return FINISHED
    printer.text(f"running (process {progress.get('pid', '?')})" if running else "interrupted")
    if "videos_total" in progress:
        printer.text(_readable(progress, running))
    shards = len(list(job_folder(store).glob("shard-*.h5")))
    printer.text(f"shards    {shards:,} finished in {job_folder(store)}")
    if not running:
        printer.text("to go on, run the same segfeat extract command again")
    printer.result(state="running" if running else "interrupted", shards=shards, **progress)
    return FINISHED


def _readable(progress: dict[str, Any], running: bool) -> str:
    failures = progress["failures"]
    lines = [
        f"videos    {progress['videos_done']:,} of {progress['videos_total']:,} read, "
        f"{progress['videos_before']:,} from earlier runs",
        f"segments  {progress['segments_done']:,}",
        f"failed    {sum(failures.values()):,}" + "".join(f", {n:,} {code}" for code, n in failures.items()),
        f"time      {clock(progress['elapsed_s'])}"
        + (f", {clock(progress['remaining_s'])} to go" if running and progress["remaining_s"] is not None else ""),
        f"last word {clock(max(0.0, time.time() - progress['updated']))} ago",
    ]
    return "\n".join(lines)
