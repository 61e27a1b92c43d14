"""``segmodel report``."""

from __future__ import annotations

from pathlib import Path

import click

from ..printer import Printer, prints
from .options import FILE, NamedFile, reads_run
from .pairs import VIDEOS


@click.command()
@reads_run
@click.option(
    "--cases", default="auto", show_default=True, metavar="auto|CSV", help="Views to show: user_id and video_id."
)
@click.option("--ablation", type=FILE, help="Folder that segmodel ablate wrote; default: ablations/ beside runs/.")
@click.option(
    "--baselines",
    default="all",
    show_default=True,
    metavar="LIST",
    help="Models fitted on the run's training views for comparison: positions, all, none, or names.",
)
@VIDEOS
@click.option(
    "-o",
    "--out",
    type=NamedFile(".html", ".htm"),
    default=Path("report.html"),
    show_default=True,
    help="The HTML file.",
)
@prints
def report(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    cases: str,
    ablation: Path | None,
    baselines: str,
    videos: Path | None,
    out: Path,
    printer: Printer,
) -> None:
    """Write one HTML file about a run: cases to look at, how good it is, and what it was made from.

    The file holds everything it shows and opens from disk.

    \b
    segmodel report -o report.html
    segmodel report --run runs/paper-1 --cases pairs.csv --ablation ablations -o report.html
    """
    from segmodel.report.page import write_report
    from segmodel.runs.held_out import POSITION_BASELINES, baseline_names
    from segmodel.runs.predictor import open_predictor

    names = POSITION_BASELINES if baselines == "positions" else baseline_names(baselines)
    with open_predictor(run, store, history, units) as predictor:
        size = write_report(
            predictor,
            out,
            cases=None if cases == "auto" else Path(cases),
            videos=videos,
            ablation=ablation,
            baselines=names,
        )
    printer.result(file=out, bytes=size)
    printer.text(f"{size / 1e6:.2f} MB -> {out}")
