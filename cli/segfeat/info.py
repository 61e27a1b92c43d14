"""``segfeat info``: what is in a store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..printer import Printer, prints

if TYPE_CHECKING:
    from segfeat.store.summary import StoreSummary, VideoSummary

TABLE_VIDEOS = 50
"""Stores of at most this many videos are listed video by video unasked."""

WORDS_WIDTH = 60
"""Characters of a video's text in the table; ``--json`` has all of it."""


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--videos/--no-videos", default=None, help=f"List every video; default: up to {TABLE_VIDEOS} videos.")
@prints
def info(store: Path, videos: bool | None, printer: Printer) -> None:
    """Show what STORE holds: videos, segments, encoders, failures, the watch log."""
    from dataclasses import asdict

    from segfeat.store.reader import FeatureStore
    from segfeat.store.summary import summarise, summarise_videos

    with FeatureStore(store) as opened:
        summary = summarise(opened)
        listed = len(opened) <= TABLE_VIDEOS if videos is None else videos
        table = summarise_videos(opened) if listed else []
        failures = opened.failures
    printer.text(_readable(summary))
    if table:
        printer.text("\n" + _table(table))
    if failures or summary.partial_videos:
        printer.text(f"\nwhat was wrong with failed and partial files: segfeat errors {store}")
    listing = {"video_table": [asdict(v) for v in table]} if listed else {}
    printer.result(**asdict(summary), failed_files=[asdict(f) for f in failures], **listing)


def _readable(summary: StoreSummary) -> str:
    partial = f", {summary.partial_videos:,} of them partial" if summary.partial_videos else ""
    lines = [
        summary.path,
        f"videos        {summary.videos:,}{partial}{f', from {summary.root}' if summary.root else ''}",
        f"segments      {summary.segments:,} of {summary.segment_s:g} s",
        f"length        {f'{summary.hours:,.1f} hours' if summary.hours >= 1 else f'{summary.hours * 60:.1f} minutes'}",
    ]
    for modality, column in summary.modalities.items():
        spec = column.encoder
        lines += [
            f"{modality:<13} {spec.name}, {spec.dim} dimensions",
            f"              for {column.segments:,} segments in {column.videos:,} videos",
            f"              model {spec.model}; weights {spec.weights}",
            f"              {spec.pooling}",
        ]
    if not summary.modalities:
        lines.append("features      none")
    words = summary.words["any"]
    if words.segments:
        lines.append(f"words         {words.segments:,} segments in {words.videos:,} videos")
        lines += [
            f"              {name}: {n.segments:,} segments in {n.videos:,} videos"
            for name, n in summary.words.items()
            if name != "any" and (n.segments or name != "title")
        ]
    else:
        lines.append("words         none")
    for what, attributes in (("videos by", summary.video_attributes), ("users by", summary.user_attributes)):
        lines += [f"{what:<13} {name}: {n:,} categories" for name, n in attributes.items()]
    lines.append(f"failures      {summary.failures:,}")
    lines += [f"              {n:,} × {code}" for code, n in summary.failure_codes.items()]
    log = summary.interactions
    if log is None:
        lines.append("interactions  none")
    else:
        lines.append(f"interactions  {log.views:,} views by {log.users:,} users of {log.videos:,} videos")
        if log.completed_share is not None:
            lines.append(f"              {log.completed_share:.1%} watched to the end")
        if log.views_without_video:
            lines.append(f"              {log.views_without_video:,} views of videos that are not in the store")
    lines += [f"made with     {key} = {value}" for key, value in sorted(summary.parameters.items())]
    lines += [
        f"file          {summary.file_bytes / 1e6:,.2f} MB, format {summary.format_version}",
        f"content hash  {summary.content_hash}",
    ]
    return "\n".join(lines)


def _table(videos: Sequence[VideoSummary]) -> str:
    head = ("video", "seconds", "segments", "status", "sound", "decoder", "words from", "words")
    rows = [
        (
            v.id,
            f"{v.duration_s:.2f}",
            str(v.segments),
            v.status,
            "?" if v.sound_segments is None else f"{v.sound_segments}/{v.segments}" if v.sound_segments else "none",
            v.decoder or "-",
            "+".join(v.words_from) or "-",
            _shortened(" / ".join(v.words)) or "-",
        )
        for v in videos
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = {1, 2}
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    )


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORDS_WIDTH else line[: WORDS_WIDTH - 1] + "…"
