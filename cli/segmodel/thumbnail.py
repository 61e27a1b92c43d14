"""``segmodel thumbnail``."""

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
@click.option("-o", "--out", type=FILE, help="Picture (.png, .jpg, .webp), or folder. [default: thumbnail.png]")
@prints
def thumbnail(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    user: str | None,
    video: str | None,
    all_users: Path | None,
    videos: Path | None,
    out: Path | None,
    printer: Printer,
) -> None:
    """Write the picture of the segment that a user would like best, in full size.

    \b
    segmodel thumbnail --user 17 --video cooking-12 -o cooking-12.png
    segmodel thumbnail --all-users users.csv --video cooking-12 -o thumbnails/
    """
    from segmodel.media.thumbnail import choose_thumbnails, write_thumbnail
    from segmodel.media.write_each import write_each
    from segmodel.runs.predictor import open_predictor

    check_target(out, all_users, (".png", ".jpg", ".jpeg", ".webp"))
    with open_predictor(run, store, history, units) as predictor:
        features = predictor.data.store
        found = predict_asked(predictor, user, video, all_users)
        chosen = list(choose_thumbnails(found, features))
        target = out or Path("thumbnails" if all_users else "thumbnail.png")
        if all_users:
            errors = write_each(chosen, target, ".png", lambda one, path: write_thumbnail(one, features, path, videos))
            printer.text(f"{len(chosen) - len(errors):,} pictures -> {target}/, listed in {target}/index.csv")
            report_errors(errors, "pictures")
            printer.result(written=len(chosen) - len(errors), folder=target, errors=errors)
        else:
            write_thumbnail(chosen[0], features, target, videos)
            printer.text(f"segment {chosen[0].segment}, picture at {chosen[0].time_s:.2f} s -> {target}")
            printer.result(file=target, **asdict(chosen[0]))
