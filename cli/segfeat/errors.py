"""``segfeat errors``: which files gave no video, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def errors(store: Path, as_json: bool) -> None:
    """List the files that gave no video in STORE: path, code and message, one a line, separated by tabs."""
    from dataclasses import asdict

    from segfeat.store import FAILURE_CODES, FeatureStore

    with FeatureStore(store) as opened:
        failures = opened.failures
    if as_json:
        rows = [{**asdict(f), "meaning": FAILURE_CODES[f.code]} for f in failures]
        click.echo(json.dumps(rows, indent=2))
        return
    for failure in failures:
        click.echo(f"{failure.path}\t{failure.code}\t{' '.join(failure.message.split())}")
    if not failures:
        click.echo("no failures", err=True)
