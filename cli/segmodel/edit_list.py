"""``segmodel edit-list``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..printer import Printer, prints
from .options import TABLE, NamedFile, reads_run
from .pairs import VIDEOS

if TYPE_CHECKING:
    from segfeat.store.reader import FeatureStore


@click.command("edit-list")
@reads_run
@click.option("--video", required=True, help="Video id.")
@click.option("-o", "--out", type=TABLE, help="Table with one row per segment: .csv, .parquet, .json.")
@click.option("--edl", type=NamedFile(".edl"), help="CMX 3600 list of the segments that lose viewers.")
@click.option("--fps", type=click.FloatRange(0, min_open=True), help="Of the list; default: the video's own.")
@VIDEOS
@prints
def edit_list(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    video: str,
    out: Path | None,
    edl: Path | None,
    fps: float | None,
    videos: Path | None,
    printer: Printer,
) -> None:
    """Find the segments of a video in which more people leave than its length alone explains.

    Lift is the number of views that ended in a segment over the number expected from all other videos of that length,
    among views that reached it; * where it lies above 1 beyond doubt, all segments taken together.

    \b
    segmodel edit-list --video cooking-12
    segmodel edit-list --video cooking-12 -o cooking-12.csv --edl cooking-12.edl
    """
    from segmodel.media.edit_list import exits_table, segment_exits, write_edl
    from segmodel.runs.predictor import open_predictor
    from segmodel.tables import write_table

    with open_predictor(run, store, history, units) as predictor:
        features = predictor.data.store
        found = segment_exits(predictor.data.known_dataset, video)
        printer.text(f"{'segment':>15} {'reached':>8} {'left':>6} {'expected':>9} {'lift':>6}  95 % interval")
        for s in found:
            span = f"{s.start_s:g}–{s.end_s:.4g} s"
            lift = "     –" if math.isnan(s.lift) else f"{s.lift:6.2f}  {s.low:.2f} to {s.high:.2f}"
            printer.text(
                f"{span:>15} {s.reached:8,} {s.left:6,} {s.expected:9.1f} {lift}{' *' if s.loses_viewers else ''}"
            )
        printer.result(video_id=video, segments=[asdict(s) for s in found])
        if out:
            write_table(exits_table(video, found), out)
            printer.text(f"{len(found)} segments -> {out}")
        if edl:
            clip, rate = _clip(features, video, videos, fps)
            printer.text(f"{write_edl(edl, video, found, clip, rate)} segments -> {edl} ({rate:g} pictures a second)")


def _clip(store: FeatureStore, video: str, videos: Path | None, fps: float | None) -> tuple[str, float]:
    """Name and rate of the video's file; the file itself is needed only where no rate was given."""
    from segmodel.media.raw_video import open_raw_video

    if fps is None:
        reader = open_raw_video(store, video, videos)
        return reader.path.name, reader.info.fps
    return Path(str(store.paths[store.rows[video]])).name if video in store else video, fps
