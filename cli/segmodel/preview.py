"""``segmodel preview``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..printer import Printer, prints
from .options import FILE, reads_run
from .pairs import asks_for_pairs, check_target, predict_asked, report_errors


@click.command()
@reads_run
@asks_for_pairs
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=6.0, show_default=True, help="Its length.")
@click.option("-o", "--out", type=FILE, help="MP4 file, or folder. [default: preview.mp4]")
@prints
def preview(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    user: str | None,
    video: str | None,
    all_users: Path | None,
    videos: Path | None,
    seconds: float,
    out: Path | None,
    printer: Printer,
) -> None:
    """Write the stretch of a video that a user would like best, as an MP4 with sound.

    \b
    segmodel preview --user 17 --video cooking-12 --seconds 6 -o preview.mp4
    segmodel preview --all-users pairs.csv -o previews/
    """
    from segmodel.media.preview import choose_previews, write_preview
    from segmodel.media.write_each import write_each
    from segmodel.runs.predictor import open_predictor

    check_target(out, all_users, (".mp4",))
    with open_predictor(run, store, history, units) as predictor:
        features = predictor.data.store
        found = predict_asked(predictor, user, video, all_users)
        chosen = list(choose_previews(found, seconds))
        target = out or Path("previews" if all_users else "preview.mp4")
        if all_users:
            errors = write_each(chosen, target, ".mp4", lambda one, path: write_preview(one, features, path, videos))
            printer.text(f"{len(chosen) - len(errors):,} previews -> {target}/, listed in {target}/index.csv")
            report_errors(errors, "previews")
            printer.result(written=len(chosen) - len(errors), folder=target, errors=errors)
        else:
            write_preview(chosen[0], features, target, videos)
            printer.text(f"{chosen[0].start_s:.2f} to {chosen[0].end_s:.2f} s -> {target}")
            printer.result(file=target, **asdict(chosen[0]))
