"""A dry run: what an extraction would do, how long it would take and how large its store would be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segfeat.encoders import Encoder
from segfeat.failures import Failure
from segfeat.pipeline.cores import Shares
from segfeat.pipeline.engine import reading_task, shares_for
from segfeat.pipeline.job import job_folder
from segfeat.pipeline.messages import Closed, Failed
from segfeat.pipeline.plan import make_plan
from segfeat.pipeline.pool import ReaderPool
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.reading import Probing
from segfeat.pipeline.request import Prepared, Request
from segfeat.pipeline.sources import Source

SAMPLE_VIDEOS = 4
"""Videos that are read and encoded for real, to see how long it takes."""

SAMPLE_SEGMENTS = 40
"""Longer videos are not sampled, unless there are no others."""

_VIDEO_BYTES, _SEGMENT_BYTES = 200, 60
"""What a store needs for each video and segment besides features, words and thumbnails, about."""


@dataclass(frozen=True)
class Preview:
    """What an extraction would do.

    Attributes
    ----------
    videos, segments : int
        That would be added.
    duration_s : float
        Of all of them.
    partial : int
        Videos with damage that shows without decoding.
    unchanged : int
        Files that need no reading.
    ignored : int
        Files that would be left alone because they do not look like videos.
    failures : tuple of Failure
        Files that cannot be opened.
    expected_s : float or None
        Time that reading and encoding would take, from a sample; None where there is nothing to do.
    expected_bytes : int
        What would be added to the store.
    left_out : tuple of str
        Rows of the metadata that cannot be used, and why.
    """

    videos: int
    segments: int
    duration_s: float
    partial: int
    unchanged: int
    ignored: int
    failures: tuple[Failure, ...]
    expected_s: float | None
    expected_bytes: int
    left_out: tuple[str, ...] = ()


def preview(request: Request, progress: Callable[[Progress], None] | None = None) -> Preview:
    """Open every new file, read and encode a few of them, write nothing.

    Raises
    ------
    ValueError
        As `segfeat.extract` does.
    """
    known = request.prepare()
    if isinstance(known.found.root, str):
        raise ValueError(f"{known.found.root}: a dry run opens every video, and would have to fetch them all")
    sources = make_plan(known.new, known.header, job_folder(known.out), known.titled).sources
    counts = Progress.of(sources, videos_before=len(known.found.sources) - len(sources))
    shares = shares_for(known.encoders, request.device, request.workers)
    processes = shares.workers
    lengths: dict[Source, tuple[float, int]] = {}
    failures = []
    with ReaderPool(Probing(known.settings), sources, processes, request.video_timeout_s) as pool:
        for arrival in pool:
            for _ in arrival:
                pass
            counts.count(arrival)
            if isinstance(arrival.end, Failed):
                failures.append(Failure(arrival.source.path, arrival.end.code, arrival.end.message))
            elif arrival.opened is not None:
                lengths[arrival.source] = (arrival.opened.duration_s, len(arrival.opened.spans_s))
            if progress is not None:
                progress(counts)
    segments = sum(n for _, n in lengths.values())
    sample = _sample({source: n for source, (_, n) in lengths.items()})
    cost = _measure(known, sample, processes)
    return Preview(
        videos=len(lengths),
        segments=segments,
        duration_s=sum(duration_s for duration_s, _ in lengths.values()),
        partial=counts.videos_partial,
        unchanged=counts.videos_before,
        ignored=known.found.ignored,
        failures=tuple(failures),
        expected_s=None if cost is None else segments * _wall_s(cost, shares),
        expected_bytes=len(lengths) * _VIDEO_BYTES + segments * round(cost.bytes if cost else 0.0),
        left_out=known.left_out,
    )


@dataclass(frozen=True)
class _Cost:
    """Of one segment: seconds of decoding on one core, seconds of encoding, bytes in the store."""

    decode_s: float
    encode_s: float
    bytes: float


def _wall_s(cost: _Cost, shares: Shares) -> float:
    """Of one segment: on a GPU decoding and encoding go on side by side, on a CPU they take the cores in turns."""
    decode_s, encode_s = cost.decode_s / shares.workers, cost.encode_s / shares.encoding_threads
    return max(decode_s, cost.encode_s) if shares.cores is None else decode_s + encode_s


def _sample(segments: Mapping[Source, int]) -> list[Source]:
    short = [source for source, n in segments.items() if n <= SAMPLE_SEGMENTS]
    if not short:
        return sorted(segments, key=lambda source: segments[source])[:1]
    picks = np.linspace(0, len(short) - 1, min(SAMPLE_VIDEOS, len(short))).round().astype(int)
    return [short[i] for i in dict.fromkeys(picks.tolist())]


def _measure(known: Prepared, sample: Sequence[Source], processes: int) -> _Cost | None:
    items: dict[str, list[Any]] = {modality: [] for modality in known.encoders}
    counts = dict.fromkeys(known.encoders, 0)
    segments, cpu_s, size = 0, 0.0, 0
    task = reading_task(known.settings, known.encoders, known.request.device)
    with ReaderPool(task, sample, processes, known.request.video_timeout_s) as pool:
        for arrival in pool:
            for segment in arrival:
                segments += 1
                size += len(segment.thumbnail) + len(segment.text.encode("utf-8", "surrogateescape"))
                for modality, item in segment.items.items():
                    counts[modality] += 1
                    if len(items[modality]) < known.encoders[modality].batch_size:
                        items[modality].append(item)
            cpu_s += arrival.end.cpu_s if isinstance(arrival.end, Closed) else 0.0
    if not segments:
        return None
    encode_s = sum(_item_s(known.encoders[m], items[m]) * counts[m] / segments for m in items)
    fixed = _SEGMENT_BYTES + sum(2 * encoder.spec.dim + 1 for encoder in known.encoders.values())
    return _Cost(cpu_s / segments, encode_s, fixed + size / segments)


def _item_s(encoder: Encoder, items: Sequence[Any]) -> float:
    """Seconds to encode one of these items, once the encoder is warm."""
    if not items:
        return 0.0
    encoder.encode(items)
    before_s = time.perf_counter()
    encoder.encode(items)
    return (time.perf_counter() - before_s) / len(items)
