"""``segmodel predict-skip``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..printer import Printer, prints
from ..run import FINISHED, PARTLY_FAILED
from .options import FILE, TABLE, reads_run

if TYPE_CHECKING:
    import pandas as pd

    from segmodel.runs.predictor import PairPredictions, Predictor

_SHOWN = 20
"""Rows of the printed table; the CSV has all."""


@click.command("predict-skip")
@reads_run
@click.option(
    "--pairs", type=FILE, help="CSV or Parquet with user_id, video_id, time_ms and, where known, duration_ms."
)
@click.option("--user", "users", multiple=True, help="User id; may be given repeatedly.")
@click.option("--video", "videos", multiple=True, help="Video id; may be given repeatedly.")
@click.option("-o", "--out", type=TABLE, help="Table with one row per segment: .csv, .parquet, .json; - prints it.")
@click.option(
    "--strict", is_flag=True, help="Name every pair that cannot be predicted, and exit with 3 if there is one."
)
@prints
def predict_skip(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    pairs: Path | None,
    users: tuple[str, ...],
    videos: tuple[str, ...],
    out: Path | None,
    strict: bool,
    printer: Printer,
) -> int:
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
    from segmodel.runs.predictor import open_predictor
    from segmodel.tables import STDOUT

    with open_predictor(run, store, history, units) as predictor:
        if predictor.data.in_parts and not (pairs or users or history or printer.as_json):
            return _in_parts(predictor, out, printer)
        if users:
            found = predictor.product(users, videos)
        elif pairs:
            found = predictor.pairs(predictor.data.read(pairs, watch_needed=False))
        else:
            found = predictor.test()
    if out:
        found.write(out)
    for line in [] if str(out) == STDOUT else _lines(found):
        printer.text(line)
    if strict:
        for pair in found.skipped:
            printer.warn(f"not predicted: user {pair.user_id!r}, video {pair.video_id!r}: {pair.reason}")
    for reason, n in found.reasons().items():
        printer.warn(f"{n:,} pairs not predicted: {reason}")
    if out and str(out) != STDOUT:
        printer.text(f"{len(found.views):,} views, {int(found.views.segments.sum()):,} segments -> {out}")
    if printer.as_json:
        printer.result(pairs=_rows(found), skipped=[pair._asdict() for pair in found.skipped])
    return PARTLY_FAILED if strict and found.skipped else FINISHED


def _in_parts(predictor: Predictor, out: Path | None, printer: Printer) -> int:
    """The test views of a log that does not fit into memory, written part by part; without ``out`` the first part."""
    from segmodel.tables import STDOUT, write_tables

    views = segments = 0

    def frames() -> Iterator[pd.DataFrame]:
        nonlocal views, segments
        for found in predictor.test_parts():
            if not views and str(out) != STDOUT:
                for line in _lines(found):
                    printer.text(line)
            views += len(found)
            segments += int(found.views.segments.sum())
            yield found.to_frame()

    if out is None:
        next(frames())
        printer.text(f"of {views:,} views of the first part of the log; all are written with -o")
        return FINISHED
    write_tables(frames(), out)
    if str(out) != STDOUT:
        printer.text(f"{views:,} views, {segments:,} segments -> {out}")
    return FINISHED


def _rows(found: PairPredictions) -> list[dict[str, object]]:
    """What ``--json`` says of each pair."""
    v, p = found.views, found.prediction
    return [
        {
            "user_id": v.user_ids[v.user[i]],
            "video_id": v.video_ids[v.video[i]],
            "time_ms": int(v.time_ms[i]),
            "duration_s": float(v.picture_s[i]),
            "user_known": bool(found.user_known[i]),
            "video_known": bool(found.video_known[i]),
            "skip_probability": p.skip_probability[i, : v.segments[i]].tolist(),
            "completion": float(p.completion[i]),
            "expected_watch_s": float(p.expected_watch_s[i]),
        }
        for i in range(len(found))
    ]


def _lines(found: PairPredictions) -> list[str]:
    """One line per pair: the likeliest exit, completion, expected watch time; * where somebody or something is new."""
    from segmodel.runs.heat_strips import likeliest_exit

    v, p = found.views, found.prediction
    lines = [f"{'user':<12} {'video':<24} {'length':>8}  {'leaves most likely':<24} {'completes':>9} {'watches':>9}"]
    for i in range(min(len(v), _SHOWN)):
        user = f"{v.user_ids[v.user[i]]}{'' if found.user_known[i] else '*'}"
        video = f"{v.video_ids[v.video[i]]}{'' if found.video_known[i] else '*'}"
        lines.append(
            f"{user:<12} {video:<24} {v.picture_s[i]:6.1f} s  {likeliest_exit(v, p, i):<24} "
            f"{p.completion[i]:9.0%} {p.expected_watch_s[i]:7.1f} s"
        )
    if len(v) > _SHOWN:
        lines.append(f"… and {len(v) - _SHOWN:,} more")
    if not (found.user_known.all() and found.video_known.all()):
        lines.append("* a user without any known view, or a video that is not in the store")
    return lines
