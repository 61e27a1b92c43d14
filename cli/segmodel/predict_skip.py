"""``segmodel predict-skip``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, reads_run

if TYPE_CHECKING:
    from segmodel.runs.predictor import PairPredictions

_SHOWN = 20
"""Rows of the printed table; the CSV has all."""


@click.command("predict-skip")
@reads_run
@click.option(
    "--pairs", type=FILE, help="CSV or Parquet with user_id, video_id, time_ms and, where known, duration_ms."
)
@click.option("--user", "users", multiple=True, help="User id; may be given repeatedly.")
@click.option("--video", "videos", multiple=True, help="Video id; may be given repeatedly.")
@click.option("-o", "--out", type=FILE, help="CSV with one row per segment.")
def predict_skip(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    pairs: Path | None,
    users: tuple[str, ...],
    videos: tuple[str, ...],
    out: Path | None,
) -> None:
    """Predict where each user leaves each video, with probabilities and expected watch time.

    Without arguments: the latest run on its test views.

    \b
    segmodel predict-skip --pairs pairs.csv -o skips.csv
    segmodel predict-skip --user 17 --video cooking-12 --video sea-3
    """
    if bool(users) != bool(videos):
        raise click.UsageError("--user and --video belong together")
    if pairs and users:
        raise click.UsageError("give either --pairs or --user and --video")
    from segfeat.interactions import read_interactions
    from segmodel.runs.pairs import pairs_of
    from segmodel.runs.predictor import predict_pairs, predict_test
    from segmodel.runs.run import load_run

    opened = load_run(run)
    extra = read_interactions(history) if history else None
    with opened.open_store(store) as features:
        if users:
            past = opened.config.log(features)
            asked = pairs_of(users, videos, past if extra is None else past.joined(extra))
            found = predict_pairs(opened, features, asked, extra)
        elif pairs:
            found = predict_pairs(opened, features, read_interactions(pairs, watch_needed=False), extra)
        else:
            found = predict_test(opened, features, extra)
    if out:
        found.write(out)
    _show(found)
    for reason, n in found.skipped.items():
        click.echo(f"{n:,} pairs not predicted: {reason}", err=True)
    if out:
        click.echo(f"{len(found.views):,} views, {int(found.views.segments.sum()):,} segments -> {out}")


def _show(found: PairPredictions) -> None:
    """One line per pair: the likeliest exit, completion, expected watch time."""
    v, p = found.views, found.prediction
    click.echo(f"{'user':<12} {'video':<24} {'length':>8}  {'leaves most likely':<24} {'completes':>9} {'watches':>9}")
    for i in range(min(len(v), _SHOWN)):
        slot = int(p.slots[i].argmax())
        share = p.slots[i, slot]
        if slot == v.segments[i]:
            where = f"not at all ({share:.0%})"
        else:
            start = slot * v.segment_s
            where = f"{start:g}–{min(start + v.segment_s, v.picture_s[i]):.3g} s ({share:.0%})"
        click.echo(
            f"{v.user_ids[v.user[i]]:<12} {v.video_ids[v.video[i]]:<24} {v.picture_s[i]:6.1f} s  {where:<24} "
            f"{p.completion[i]:9.0%} {p.expected_watch_s[i]:7.1f} s"
        )
    if len(v) > _SHOWN:
        click.echo(f"… and {len(v) - _SHOWN:,} more")
