"""One shard, the unit of work: a few sources in, one small store out, under a name that follows from both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.failures import Failure
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.encoding import BatchFiller, Encoding
from segfeat.pipeline.messages import Failed, Opened, SegmentItems, unforeseen
from segfeat.pipeline.sources import Source
from segfeat.store.writer import write_store
from segfeat.types import Line, StoreHeader, VideoFeatures

if TYPE_CHECKING:
    from segfeat.encoders import Encoder

SHARD_VIDEOS = 32
"""Most videos of a shard: enough to fill batches, little to do again after an interruption."""

SHARD_BYTES = 1_000_000_000
"""Most bytes of a shard's files (but for a single larger one), so that long videos make short shards."""


@dataclass(frozen=True)
class Shard:
    """The sources of one shard, in order."""

    sources: tuple[Source, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(source.size_bytes for source in self.sources)

    def name(self, header: StoreHeader) -> str:
        """File name: a hash of what decides the content."""
        members = [
            (s.video_id, s.path, s.size_bytes, s.mtime_ns, s.title, *([s.clash] if s.clash else []))
            for s in self.sources
        ]
        digest = hashlib.sha256(json.dumps([asdict(header), members], sort_keys=True).encode())
        return f"shard-{digest.hexdigest()[:24]}.h5"

    def to_json(self) -> str:
        """For another machine: ASCII, whatever bytes the names of files have."""
        return json.dumps([asdict(source) for source in self.sources])

    @classmethod
    def from_json(cls, text: str) -> Shard:
        """What `to_json` gave."""
        return cls(tuple(Source(**{**s, "side_files": tuple(s["side_files"])}) for s in json.loads(text)))


def cut(sources: Sequence[Source]) -> list[Shard]:
    """Cut a sorted list of sources into shards; where the cuts lie follows from the list alone."""
    shards: list[list[Source]] = []
    size = 0
    for source in sources:
        size += source.size_bytes
        if not shards or len(shards[-1]) == SHARD_VIDEOS or size > SHARD_BYTES:
            shards.append([])
            size = source.size_bytes
        shards[-1].append(source)
    return [Shard(tuple(members)) for members in shards]


def write_shard(
    path: Path,
    header: StoreHeader,
    arrivals: Iterator[Arrival],
    count: int,
    encoders: Mapping[str, Encoder],
    encoding: Encoding,
    root: str,
    arrived: Callable[[Arrival], None] = lambda _: None,
) -> None:
    """Encode the next ``count`` arrivals and write them as one store.

    Batches fill across these videos and no others, so the numbers do not depend on what else is extracted.

    Parameters
    ----------
    path : path
        Appears when the shard is complete.
    arrived : callable
        Told of every file that has been read to its end.
    """
    batches = {modality: BatchFiller(encoder, encoding) for modality, encoder in encoders.items()}
    drafts: list[_Draft] = []
    failures: list[Failure] = []
    for _ in range(count):
        arrival = next(arrivals)
        draft: _Draft | None = None
        for segment in arrival:
            if draft is None:
                draft = _Draft(arrival.source, arrival.opened, header)
            row = draft.add(segment)
            for modality, item in segment.items.items():
                batches[modality].add(item, draft.features[modality], row)
        arrived(arrival)
        if isinstance(arrival.end, Failed):
            failures.append(_failure(arrival.source, arrival.end.code, arrival.end.message))
        elif draft is None or arrival.end is None or draft.rows < len(draft.opened.spans_s):
            end = unforeseen(arrival.source.path, "reading it ended before its last segment")
            failures.append(_failure(arrival.source, end.code, end.message))
        else:
            draft.problems = "; ".join(arrival.end.problems)
            drafts.append(draft)
    for waiting in batches.values():
        waiting.flush()
    encoding.finish()
    for waiting in batches.values():
        waiting.repeat()
    good = [draft for draft in drafts if draft.finite]
    for draft in drafts:
        if not draft.finite:
            message = f"{draft.source.path}: features that are not finite in half precision"
            failures.append(_failure(draft.source, "bad_features", message))
    write_store(path, header, [draft.video() for draft in good], failures, root=root)


class _Draft:
    """A video whose features are on their way."""

    def __init__(self, source: Source, opened: Opened | None, header: StoreHeader) -> None:
        if opened is None:
            raise RuntimeError(f"{source.path}: segments before the file was opened")
        self.source, self.opened = source, opened
        self.problems = ""
        self.rows = 0
        n = len(opened.spans_s)
        self.features = {m: np.zeros((n, spec.dim), np.float32) for m, spec in header.encoders.items()}
        self._valid = {m: np.zeros(n, bool) for m in header.encoders}
        self._frame_time_s: list[np.ndarray] = []
        self._texts: list[str] = []
        self._thumbnails: list[bytes] = []
        self._words: list[Mapping[str, tuple[Line, ...]]] = []

    def add(self, segment: SegmentItems) -> int:
        """Keep all of a segment but its items; its row."""
        for modality in segment.items:
            self._valid[modality][self.rows] = True
        self._frame_time_s.append(segment.frame_time_s)
        self._texts.append(segment.text)
        self._thumbnails.append(segment.thumbnail)
        self._words.append(segment.words)
        self.rows += 1
        return self.rows - 1

    @property
    def finite(self) -> bool:
        """Whether every feature is a number that half precision can hold."""
        limit = np.finfo(np.float16).max
        return all(bool((np.abs(values) <= limit).all()) for values in self.features.values())

    def video(self) -> VideoFeatures:
        """The finished video."""
        return VideoFeatures(
            video_id=self.source.video_id,
            duration_s=self.opened.duration_s,
            spans_s=self.opened.spans_s,
            features=dict(self.features),
            valid=self._valid,
            path=self.source.path,
            title=self.source.title,
            status="partial" if self.problems else "ok",
            decoder=self.opened.decoder,
            frame_time_s=np.stack(self._frame_time_s),
            segment_text=tuple(self._texts),
            thumbnails=tuple(self._thumbnails) if any(self._thumbnails) else (),
            size_bytes=self.source.size_bytes,
            mtime_ns=self.source.mtime_ns,
            problems=self.problems,
            words={kind: tuple(found[kind] for found in self._words) for kind in self._words[0]},
        )


def _failure(source: Source, code: str, message: str) -> Failure:
    return Failure(source.path, code, message, source.size_bytes, source.mtime_ns)
