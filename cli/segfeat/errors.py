"""``segfeat errors``: which files gave no video, or only a part of one, and why."""

from __future__ import annotations

from pathlib import Path

import click

from ..printer import Printer, prints


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@prints
def errors(store: Path, printer: Printer) -> None:
    """List what was wrong with files in STORE: path, code and message, one a line, separated by tabs.

    Files with the code "partial" are in the store, as far as they could be read; all others gave no video.
    """
    from dataclasses import asdict

    from segfeat.failures import FAILURE_CODES
    from segfeat.store.reader import FeatureStore

    with FeatureStore(store) as opened:
        failures = opened.failures
        partial = [
            {"path": path or video_id, "code": "partial", "message": problems or "something could not be read"}
            for video_id, path, status, problems in zip(
                opened.video_ids, opened.paths, opened.status, opened.problems, strict=True
            )
            if status == "partial"
        ]
    for row in [*map(asdict, failures), *partial]:
        message = " ".join(row["message"].split()).removeprefix(f"{row['path']}: ")
        printer.text(f"{row['path']}\t{row['code']}\t{message}")
    if not failures and not partial:
        printer.progress("no failures")
    meaning = {"meaning": "the video is in the store, but some of it could not be read"}
    printer.listing(
        [
            *({**asdict(f), "meaning": FAILURE_CODES[f.code]} for f in failures),
            *({**row, **meaning} for row in partial),
        ]
    )
