"""From a public data set to a store without raw videos: lengths come from the log, spans from the lengths."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segfeat.attribute import Users
from segfeat.importers import importer
from segfeat.importers.descriptions import Descriptions
from segfeat.importers.imported import Files
from segfeat.importers.ready_features import ReadyFeatures
from segfeat.importers.summary import ImportSummary, TableSummary
from segfeat.importers.words import WordsEncoder
from segfeat.interactions import MAX_DURATION_S, Interactions, Millis
from segfeat.log_check import check_log
from segfeat.segment import SEGMENT_S, segment_spans
from segfeat.store.merge import merge_stores
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

SHARD_SEGMENTS = 50_000
"""Segments held in memory at a time: 100 MB of 1024 half-precision features."""

SHARD_VIDEOS = 20_000
"""Videos held in memory at a time; those of unknown length have no segments."""


def import_log(
    format_name: str,
    logs: str | Path | Sequence[str | Path],
    out: str | Path,
    features: ReadyFeatures | None = None,
    segment_s: float = SEGMENT_S,
    max_duration_s: float = MAX_DURATION_S,
    overwrite: bool = False,
    metadata: str | Path | None = None,
    users: str | Path | None = None,
    text: str = "none",
    attributes: Sequence[str] | None = None,
    context: Sequence[str] = (),
    device: str = "auto",
    unit_ms: Mapping[str, float] | None = None,
) -> ImportSummary:
    """Write a store from a watch log and, where given, tables about videos and users, and ready-made features.

    The store keeps the usable rows of the log, one video for each video id in them, and the other videos that the
    metadata describes (with no segments where nobody knows their length): they can be predicted too.

    Parameters
    ----------
    format_name : str
        A key of ``IMPORTERS``.
    logs : path or sequence of paths
        CSV, CSV.gz or Parquet.
    out : path
        The store to write.
    features : ReadyFeatures, optional
        Become the store's visual features.
    segment_s : float
        Segment length in seconds; with features, the one they were made for.
    max_duration_s : float
        Videos that last this long or longer, and their rows, are dropped.
    overwrite : bool
        Replace an existing store.
    metadata, users : path, optional
        Tables with a row for each video, or user; see `segfeat.importers.descriptions`.
    text : str
        What encodes the words of the metadata, as ``segfeat extract`` writes it; ``none`` keeps only the words.
    attributes : sequence of str, optional
        Columns of the metadata to be kept as attributes, instead of those that the format usually keeps.
    context : sequence of str
        Columns of the logs to be kept as categories.
    device : str
        Where ``text`` runs.
    unit_ms : mapping of field to float, optional
        Milliseconds in one unit of the log's numbers, where it is another than the format's own.

    Raises
    ------
    ValueError
        If the format is unknown, ``out`` exists, a file lacks columns, the log has no usable row, or features or
        tables have nothing about the log's videos or users.
    """
    out = Path(out)
    read = importer(format_name)
    if not max_duration_s > 0:
        raise ValueError(f"the longest duration must be a positive number of seconds, not {max_duration_s}")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists already; choose another name or overwrite it")
    if not out.parent.is_dir():
        raise ValueError(f"{out.parent}: no such folder")
    files = Files(
        tuple(Path(p) for p in ([logs] if isinstance(logs, str | Path) else logs)),
        Path(metadata) if metadata else None,
        Path(users) if users else None,
        tuple(context),
        None if attributes is None else tuple(attributes),
        unit_ms or {},
    )
    data = read(files)
    about = data.videos
    everything = data.log.with_durations(dict(zip(about.ids.tolist(), about.duration_ms.tolist(), strict=True)))
    check = check_log(everything)
    log = everything.usable(max_duration_s).compact()
    rows_read = len(everything) + sum(everything.dropped.values())
    if not len(log):
        reasons = ", ".join(f"{n} {reason}" for reason, n in log.dropped.items()) or "the log has none"
        raise ValueError(f"no usable row among {rows_read}: {reasons}")
    _check_same_ids(files.metadata, about, everything.video_ids.tolist(), "video")
    _check_same_ids(files.users, data.users, everything.user_ids.tolist(), "user")
    words = None if text == "none" else WordsEncoder(text, device)
    if words and not any(about.words):
        raise ValueError(f"{text}: nothing to encode, no video has a title; give --metadata with one")

    duration_ms, several = durations(log)
    source = _Source(segment_s, about, features, words)
    header = StoreHeader(
        segment_s,
        parameters={"imported": format_name, "max_duration_s": max_duration_s},
        encoders=source.specs,
    )
    only_described = _only_described(about, log, max_duration_s)
    lengths = {**dict(zip(log.video_ids.tolist(), duration_ms.tolist(), strict=True)), **only_described}
    segments = with_features = complete = with_words = 0
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as folder:
        shards: list[Path] = []
        for batch in _batches(source.video(video_id, ms) for video_id, ms in lengths.items()):
            shards.append(Path(folder) / f"{len(shards)}.h5")
            write_store(shards[-1], header, source.with_words(batch))
            with_words += sum(bool(v.title) for v in batch)
            viewed = [v for v in batch if v.video_id not in only_described]
            segments += sum(len(v.spans_s) for v in viewed)
            if features:
                with_features += sum(int(v.valid["visual"].sum()) for v in viewed)
                complete += sum(bool(v.valid["visual"].all()) for v in viewed)
        if features and not with_features:
            raise ValueError(
                f"{features.index} has no segment of the log's videos: its keys look like "
                f"{next(iter(features.row_of))!r}, the log's would be '{log.video_ids[0]}-0'"
            )
        merge_stores(shards, out, interactions=log, users=Users(data.users.ids, data.users.attributes))
    return ImportSummary(
        check=check,
        rows_read=rows_read,
        dropped=dict(log.dropped),
        views=len(log),
        users=len(log.user_ids),
        videos=len(log.video_ids),
        segments=segments,
        completed=int((log.watch_ms >= log.duration_ms).sum()),
        several_durations=several,
        segments_with_features=with_features,
        videos_with_features=complete,
        only_described=len(only_described),
        only_described_with_length=sum(ms > 0 for ms in only_described.values()),
        videos_with_words=with_words,
        words_encoder=words.spec.name if words else "",
        context={name: len(column.names) for name, column in log.context.items()},
        metadata=TableSummary.of(about, log.video_ids.tolist()) if files.metadata else None,
        user_table=TableSummary.of(data.users, log.user_ids.tolist()) if files.users else None,
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """Makes videos out of ids and lengths, with what is known about them."""

    segment_s: float
    about: Descriptions
    features: ReadyFeatures | None
    words: WordsEncoder | None

    @property
    def specs(self) -> dict[str, EncoderSpec]:
        specs = {"visual": self.features.spec} if self.features else {}
        return {**specs, "text": self.words.spec} if self.words else specs

    def video(self, video_id: str, milliseconds: int) -> VideoFeatures:
        spans_s = segment_spans(milliseconds / 1000, self.segment_s) if milliseconds else np.zeros((0, 2))
        values, valid = {}, {}
        if self.features:
            values["visual"], valid["visual"] = self.features.segments(video_id, len(spans_s))
        row = self.about.rows.get(video_id)
        title = "" if row is None else str(self.about.words[row])
        return VideoFeatures(
            video_id,
            milliseconds / 1000,
            spans_s,
            values,
            valid,
            title=title,
            frame_time_s=np.zeros((len(spans_s), 0)),
            segment_text=(title,) * len(spans_s),
            attributes={} if row is None else {name: a[row] for name, a in self.about.attributes.items()},
        )

    def with_words(self, videos: list[VideoFeatures]) -> list[VideoFeatures]:
        """The same videos, their words encoded in one go."""
        if self.words:
            vectors, there = self.words.encode([v.title for v in videos])
            for video, vector, known in zip(videos, vectors, there, strict=True):
                video.features["text"] = np.repeat(vector[None], len(video.spans_s), axis=0)
                video.valid["text"] = np.full(len(video.spans_s), known)
        return videos


def _check_same_ids(path: Path | None, table: Descriptions, log_ids: list[str], what: str) -> None:
    if path is not None and not any(v in table.rows for v in log_ids):
        mine = f"{table.ids[0]!r}, ..." if len(table) else "there are none"
        raise ValueError(
            f"{path}: none of its {len(table):,} {what} ids ({mine}) is one of the log's {len(log_ids):,} "
            f"({log_ids[0]!r}, ...)"
        )


def _only_described(about: Descriptions, log: Interactions, max_duration_s: float) -> dict[str, int]:
    """Described videos that the log does not name, with their lengths in ms, 0 where unknown; without too long ones."""
    named = set(log.video_ids.tolist())
    described = zip(about.ids.tolist(), about.duration_ms.tolist(), strict=True)
    return {v: ms for v, ms in described if v not in named and ms < max_duration_s * 1000}


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


def _batches(videos: Iterable[VideoFeatures]) -> Iterator[list[VideoFeatures]]:
    batch: list[VideoFeatures] = []
    size = 0
    for video in videos:
        batch.append(video)
        size += len(video.spans_s)
        if size >= SHARD_SEGMENTS or len(batch) >= SHARD_VIDEOS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
