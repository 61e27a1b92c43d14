"""From a watch log to a store without raw videos: durations come from the log, spans from the durations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segfeat.importers import FORMATS
from segfeat.importers.ready_features import ReadyFeatures
from segfeat.interactions import MAX_DURATION_S, Interactions, Millis, read_interactions
from segfeat.segment import SEGMENT_S, segment_spans
from segfeat.store.merge import merge_stores
from segfeat.store.reader import StoreHeader
from segfeat.store.writer import write_store
from segfeat.types import VideoFeatures

SHARD_SEGMENTS = 50_000
"""Segments held in memory at a time: 100 MB of 1024 half-precision features."""


@dataclass(frozen=True)
class ImportSummary:
    """What became of a log.

    Attributes
    ----------
    rows_read : int
        Rows of the log files.
    dropped : mapping of reason to int
        Rows that are not in the store.
    views, users, videos, segments : int
        What is in the store.
    completed : int
        Views that lasted at least as long as their video.
    several_durations : int
        Videos whose rows disagree on the duration; the most frequent one was taken.
    segments_with_features, videos_with_features : int
        0 where no features were given. A video counts if all of its segments have features.
    """

    rows_read: int
    dropped: Mapping[str, int]
    views: int
    users: int
    videos: int
    segments: int
    completed: int
    several_durations: int
    segments_with_features: int
    videos_with_features: int


def import_log(
    format_name: str,
    logs: str | Path | Sequence[str | Path],
    out: str | Path,
    features: ReadyFeatures | None = None,
    segment_s: float = SEGMENT_S,
    max_duration_s: float = MAX_DURATION_S,
    overwrite: bool = False,
) -> ImportSummary:
    """Write a store from a watch log and, where given, ready-made features.

    The store keeps the usable rows of the log, and one video for each video id in them.

    Parameters
    ----------
    format_name : str
        A key of ``FORMATS``.
    logs : path or sequence of paths
        CSV, CSV.gz or Parquet.
    out : path
        The store to write.
    features : ReadyFeatures, optional
        Become the store's visual features.
    segment_s : float
        Segment length in seconds; with features, the one they were made for.
    max_duration_s : float
        Rows of videos that last this long or longer are dropped.
    overwrite : bool
        Replace an existing store.

    Raises
    ------
    ValueError
        If the format is unknown, ``out`` exists, a log lacks columns or has no usable row, or no feature belongs to
        the log's videos.
    """
    out = Path(out)
    if format_name not in FORMATS:
        raise ValueError(f"unknown log format {format_name!r}; valid are {', '.join(FORMATS)}")
    if not max_duration_s > 0:
        raise ValueError(f"the longest duration must be a positive number of seconds, not {max_duration_s}")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists already; choose another name or overwrite it")
    if not out.parent.is_dir():
        raise ValueError(f"{out.parent}: no such folder")
    everything = read_interactions(logs, columns=FORMATS[format_name])
    log = everything.usable(max_duration_s).compact()
    rows_read = len(everything) + sum(everything.dropped.values())
    if not len(log):
        reasons = ", ".join(f"{n} {reason}" for reason, n in log.dropped.items()) or "the log has none"
        raise ValueError(f"no usable row among {rows_read}: {reasons}")

    duration_ms, several = durations(log)
    header = StoreHeader(
        segment_s,
        parameters={"imported": format_name, "max_duration_s": max_duration_s},
        encoders={"visual": features.spec} if features else {},
    )
    videos = _videos(log, duration_ms, segment_s, features)
    segments = valid = complete = 0
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as folder:
        shards: list[Path] = []
        for batch in _batches(videos):
            shards.append(Path(folder) / f"{len(shards)}.h5")
            write_store(shards[-1], header, batch)
            segments += sum(len(v.spans_s) for v in batch)
            if features:
                valid += sum(int(v.valid["visual"].sum()) for v in batch)
                complete += sum(bool(v.valid["visual"].all()) for v in batch)
        if features and not valid:
            raise ValueError(
                f"{features.index} has no segment of the log's videos: its keys look like "
                f"{next(iter(features.row_of))!r}, the log's would be '{log.video_ids[0]}-0'"
            )
        merge_stores(shards, out, interactions=log)
    return ImportSummary(
        rows_read=rows_read,
        dropped=dict(log.dropped),
        views=len(log),
        users=len(log.user_ids),
        videos=len(log.video_ids),
        segments=segments,
        completed=int((log.watch_ms >= log.duration_ms).sum()),
        several_durations=several,
        segments_with_features=valid,
        videos_with_features=complete,
    )


def durations(log: Interactions) -> tuple[Millis, int]:
    """Duration (V,) in ms of each video of a compact log, and how many videos have rows that disagree.

    The most frequent one is taken; of equally frequent ones, the one that stands first in the log.
    """
    pairs, first, count = np.unique(
        np.stack([log.video.astype(np.int64), log.duration_ms]), axis=1, return_index=True, return_counts=True
    )
    order = np.lexsort((first, -count, pairs[0]))
    video, start, choices = np.unique(pairs[0, order], return_index=True, return_counts=True)
    chosen = np.zeros(len(log.video_ids), dtype=np.int64)
    chosen[video] = pairs[1, order][start]
    return chosen, int((choices > 1).sum())


def _videos(
    log: Interactions, duration_ms: Millis, segment_s: float, features: ReadyFeatures | None
) -> Iterator[VideoFeatures]:
    for video_id, milliseconds in zip(log.video_ids.tolist(), duration_ms.tolist(), strict=True):
        spans_s = segment_spans(milliseconds / 1000, segment_s)
        values, valid = {}, {}
        if features:
            values["visual"], valid["visual"] = features.segments(video_id, len(spans_s))
        yield VideoFeatures(
            video_id, milliseconds / 1000, spans_s, values, valid, frame_time_s=np.zeros((len(spans_s), 0))
        )


def _batches(videos: Iterable[VideoFeatures]) -> Iterator[list[VideoFeatures]]:
    batch: list[VideoFeatures] = []
    size = 0
    for video in videos:
        batch.append(video)
        size += len(video.spans_s)
        if size >= SHARD_SEGMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
