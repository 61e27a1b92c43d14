"""``segmodel update``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..log_columns import LATER_UNIT
from ..printer import Printer, prints
from .options import FILE, LATEST, device


@click.command()
@click.argument("run", type=FILE, default=LATEST)
@click.option(
    "--interactions", "logs", type=FILE, multiple=True, required=True, help="Views that came later; repeatable."
)
@LATER_UNIT
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i].")
@click.option("--out", type=FILE, help="The new run directory; default: runs/<model>-<number>.")
@prints
def update(
    run: Path, logs: tuple[Path, ...], units: tuple[str, ...], device: str, out: Path | None, printer: Printer
) -> None:
    """Let RUN (default: runs/latest) go on learning from later views; write a new run directory.

    Statistics become those of the whole log; networks go on from their weights over the new views and as many old ones.
    RUN stays as it is. A server with --reload-latest takes the new run over.

    \b
    segmodel update --interactions yesterday.csv
    segmodel update runs/hazard-1 --interactions monday.csv --interactions tuesday.csv --out runs/tuesday
    """
    from segmodel.runs.update import update as go_on

    def told(record: Mapping[str, Any]) -> None:
        figures = "  ".join(f"{k} {v:.4f}" for k, v in record.items() if isinstance(v, float) and not k.endswith("_s"))
        printer.progress(f"member {record.get('member', 0) + 1}  {figures}")

    found = go_on(run, logs, out, device=device, report=told, unit=units)
    views = found.data["views"]
    printer.text(
        f"run: {found.folder}, after {found.data['lineage'][-1]['run']}: {views['train']:,} views train, "
        f"{views['valid']:,} validate, {views['test']:,} test"
    )
    printer.result(run=found.folder, **found.data)
