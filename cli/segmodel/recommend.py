"""``segmodel recommend``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from segmodel.recommend import BACKBONES, DIRECT

from ..printer import Printer, prints
from .options import FILE, TABLE, device, reads_run

if TYPE_CHECKING:
    from segmodel.recommend.ranker import Ranking

_SEGMENTS = 3
"""Segments that the printed table names for each video; the CSV has all."""


@click.command()
@reads_run
@click.option("--user", required=True, help="User id; may be one never seen.")
@click.option("--candidates", type=FILE, metavar="CSV", help="File with video_id; default: all videos of the store.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Videos of the list.")
@click.option(
    "--by",
    type=click.Choice([DIRECT, *BACKBONES]),
    default=DIRECT,
    show_default=True,
    help="direct: the run's own survival curves; else SegRec on a backbone, fitted when first asked for.",
)
@click.option("--watched", is_flag=True, help="Rank videos that the user has watched before, too.")
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i]; for a fit.")
@click.option("-o", "--out", type=TABLE, help="Table with one row per segment of the listed videos.")
@prints
def recommend(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    user: str,
    candidates: Path | None,
    top: int,
    by: str,
    watched: bool,
    device: str,
    out: Path | None,
    printer: Printer,
) -> None:
    """Rank the store's videos for a user, after their last known view, with the segments that earned it.

    Videos are ranked by the probability of an effective view: one that goes further than the typical view of a video
    of that length. In the CSV, "weight" is how much a segment counts, and "contribution" what it adds: with a SegRec
    to the log-odds; with "direct", which counts segments up to the typical exit, to the logarithm of the probability.

    \b
    segmodel recommend --user 17
    segmodel recommend --user 17 --candidates fresh.csv --top 5 --by din -o for-17.csv
    """
    from segmodel.recommend.ranker import rank_videos
    from segmodel.runs.pairs import read_videos
    from segmodel.runs.predictor import open_predictor

    with open_predictor(run, store, history, units) as predictor:
        videos = None if candidates is None else read_videos(candidates, predictor.data.store)
        found = rank_videos(predictor, user, videos, by=by, watched=watched, device=device, say=printer.progress)
    if not (printer.as_json or printer.quiet):
        _show(found, top)
    for reason, n in found.skipped.items():
        printer.warn(f"{n:,} candidates not ranked: {reason}")
    if out:
        found.write(out, top)
        printer.text(f"{min(top, len(found.order)):,} of {len(found.order):,} videos -> {out}")
    best = found.top(top)
    printer.result(user_id=user, video_ids=best.ids, probability=best.scores, skipped=found.skipped)


def _show(found: Ranking, top: int) -> None:
    """One line per video: its probability, and the segments that add most."""
    v = found.views
    click.echo(f"{'rank':>4}  {'video':<24} {'length':>8} {'P(effective)':>12}  segments that add most (weight)")
    for rank, row in enumerate(found.order[:top].tolist(), start=1):
        spans = []
        for segment in found.best_segments(row, _SEGMENTS):
            start, end = found.span_s(row, segment)
            spans.append(f"{start:g}–{end:.3g} s ({found.weight[row, segment]:.2f})")
        click.echo(
            f"{rank:4d}  {v.video_ids[v.video[row]]:<24} {v.picture_s[row]:6.1f} s {found.probability[row]:12.1%}  "
            + ", ".join(spans)
        )
