"""What a store holds, in numbers: the facts behind ``segfeat info``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, EncoderSpec, Int64


@dataclass(frozen=True)
class ModalitySummary:
    """A feature column: its encoder, and how much of the store has such material."""

    encoder: EncoderSpec
    segments: int
    videos: int


@dataclass(frozen=True)
class WordsSummary:
    """How much of the store has words: segments and videos."""

    segments: int
    videos: int


@dataclass(frozen=True)
class LogSummary:
    """The watch log of a store.

    Attributes
    ----------
    views, users, videos : int
        Rows, and the ids that occur in them.
    views_without_video : int
        Rows whose video is not in the store.
    completed_share : float or None
        Share of the rows with a known watch time and duration in which the watch time reaches the duration.
    """

    views: int
    users: int
    videos: int
    views_without_video: int
    completed_share: float | None


@dataclass(frozen=True)
class VideoSummary:
    """One video.

    ``problems`` says what could not be read; ``sound_segments`` is None where the store has no audio features;
    ``words`` are each said once, ``words_from`` counts the segments that have any, by their source.
    """

    id: str
    path: str
    duration_s: float
    segments: int
    status: str
    problems: str
    decoder: str
    sound_segments: int | None
    words: tuple[str, ...]
    words_from: Mapping[str, int]


@dataclass(frozen=True)
class StoreSummary:
    """A store in numbers; see the attributes of its parts."""

    path: str
    root: str
    format_version: int
    content_hash: str
    file_bytes: int
    segment_s: float
    parameters: Mapping[str, Any]
    videos: int
    partial_videos: int
    segments: int
    hours: float
    modalities: Mapping[str, ModalitySummary]
    words: Mapping[str, WordsSummary]
    failures: int
    failure_codes: Mapping[str, int]
    interactions: LogSummary | None
    video_attributes: Mapping[str, int]
    user_attributes: Mapping[str, int]


def summarise(store: FeatureStore) -> StoreSummary:
    """Count what a store holds."""
    return StoreSummary(
        path=str(store.path),
        root=store.root,
        format_version=store.format_version,
        content_hash=store.content_hash,
        file_bytes=store.size_bytes,
        segment_s=store.segment_s,
        parameters=dict(store.header.parameters),
        videos=len(store),
        partial_videos=int((store.status == "partial").sum()),
        segments=store.segment_total,
        hours=float(store.duration_s.sum() / 3600),
        modalities={m: _modality(store, m) for m in store.encoders},
        words={name: _words(store, has) for name, has in _worded(store).items()},
        failures=len(store.failures),
        failure_codes=dict(Counter(f.code for f in store.failures).most_common()),
        interactions=_log(store),
        video_attributes={name: len(a.names) for name, a in store.video_attributes.items()},
        user_attributes={name: len(a.names) for name, a in store.user_attributes.items()},
    )


def summarise_videos(store: FeatureStore) -> list[VideoSummary]:
    """One summary for each video, in the store's order."""
    sound = _valid_per_video(store, "audio") if "audio" in store.encoders else None
    words = store.segment_text
    per_video = {name: _per_video(store, has) for name, has in _worded(store).items() if name != "any"}
    return [
        VideoSummary(
            id=video_id,
            path=store.paths[v],
            duration_s=float(store.duration_s[v]),
            segments=int(store.offset[v + 1] - store.offset[v]),
            status=store.status[v],
            problems=store.problems[v],
            decoder=store.decoders[v],
            sound_segments=None if sound is None else int(sound[v]),
            words_from={name: int(n[v]) for name, n in per_video.items() if n[v]},
            words=tuple(dict.fromkeys(t for t in words[store.offset[v] : store.offset[v + 1]] if t)),
        )
        for v, video_id in enumerate(store)
    ]


def _worded(store: FeatureStore) -> dict[str, Bool]:
    """(T,) whether a segment has words: any, those of the title, and those of each other source that was read."""
    titled = np.repeat(store.titles != "", np.diff(store.offset)).astype(bool)
    found = {kind: lines > 0 for kind, lines in store.word_counts.items()}
    return {"any": store.segment_text != "", "title": titled, **found}


def _words(store: FeatureStore, has: Bool) -> WordsSummary:
    counts = _per_video(store, has)
    return WordsSummary(int(counts.sum()), int((counts > 0).sum()))


def _valid_per_video(store: FeatureStore, modality: str) -> Int64:
    return _per_video(store, store.valid(modality))


def _per_video(store: FeatureStore, has: Bool) -> Int64:
    """(V,) segments of each video for which ``has`` (T,) holds."""
    running = np.concatenate([[0], np.cumsum(has)])
    counts: Int64 = np.diff(running[store.offset])
    return counts


def _modality(store: FeatureStore, modality: str) -> ModalitySummary:
    counts = _valid_per_video(store, modality)
    return ModalitySummary(store.encoders[modality], int(counts.sum()), int((counts > 0).sum()))


def _log(store: FeatureStore) -> LogSummary | None:
    log = store.interactions
    if log is None:
        return None
    log = log.with_durations(store.duration_ms)
    judged = (log.duration_ms > 0) & (log.watch_ms > 0)
    stored = np.array([v in store for v in log.video_ids.tolist()], dtype=bool)
    return LogSummary(
        views=len(log),
        users=len(np.unique(log.user)),
        videos=len(np.unique(log.video)),
        views_without_video=int((~stored[log.video]).sum()) if len(log) else 0,
        completed_share=float((log.watch_ms >= log.duration_ms)[judged].mean()) if judged.any() else None,
    )
