"""``segfeat errors``: which files gave no video, or only a part of one, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def errors(store: Path, as_json: bool) -> None:
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
    if as_json:
        rows = [{**asdict(f), "meaning": FAILURE_CODES[f.code]} for f in failures]
        meaning = {"meaning": "the video is in the store, but some of it could not be read"}
        click.echo(json.dumps([*rows, *({**row, **meaning} for row in partial)], indent=2))
        return
    for row in [*map(asdict, failures), *partial]:
        message = " ".join(row["message"].split()).removeprefix(f"{row['path']}: ")
        click.echo(f"{row['path']}\t{row['code']}\t{message}")
    if not failures and not partial:
        click.echo("no failures", err=True)
