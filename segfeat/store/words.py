"""The words of segments by their source, in ``/segments/words``: written, read and concatenated, flat and ragged.

For each kind of source (``subtitles``, ``speech``, ``screen``) that was read, with N lines in all:

=========================================  ===========  ==============================================================
``/segments/words/<kind>/offset``          i64 (T+1,)   lines of segment t are rows offset[t] .. offset[t+1]-1
``/segments/words/<kind>/text``            str (N,)
``/segments/words/<kind>/time_s``          f64 (N, 2)   when they are said or shown; may reach over the segment
``/segments/words/<kind>/confidence``      f32 (N,)     in [0, 1]; NaN where nobody knows
=========================================  ===========  ==============================================================

The group is optional; titles, the same for every segment, stand in ``/videos/title`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.store import hdf5
from segfeat.types import Int64, Line, VideoFeatures

GROUP = "segments/words"

Words = dict[str, tuple[tuple[Line, ...], ...]]
Runs = Sequence[tuple[int, int]]


def columns(videos: Sequence[VideoFeatures]) -> dict[str, npt.NDArray[Any]]:
    """Datasets with the words of videos, one after another; a video without a kind of words has no lines of it.

    Raises
    ------
    ValueError
        If a video has words for another number of segments than it has.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for kind in dict.fromkeys(kind for video in videos for kind in video.words):
        segments: list[tuple[Line, ...]] = []
        for video in videos:
            given = video.words.get(kind, ((),) * len(video.spans_s))
            if len(given) != len(video.spans_s):
                raise ValueError(
                    f"video {video.video_id!r} has {kind} for {len(given)} segments instead of {len(video.spans_s)}"
                )
            segments += given
        lines = [line for segment in segments for line in segment]
        times = np.array([(line.start_s, line.end_s) for line in lines], np.float64).reshape(-1, 2)
        found |= {
            f"{GROUP}/{kind}/offset": _ends([len(segment) for segment in segments]),
            f"{GROUP}/{kind}/text": hdf5.strings(line.text for line in lines),
            f"{GROUP}/{kind}/time_s": times,
            f"{GROUP}/{kind}/confidence": np.array([line.confidence for line in lines], np.float32),
        }
    return found


def kinds(file: h5py.File) -> tuple[str, ...]:
    """The kinds of words that a store has."""
    return tuple(file.get(GROUP, ()))


def read(file: h5py.File, start: int, stop: int) -> Words:
    """The words of segments ``start`` to ``stop``, by kind."""
    words: Words = {}
    for kind in kinds(file):
        group = file[f"{GROUP}/{kind}"]
        ends = group["offset"][start : stop + 1]
        rows = slice(int(ends[0]), int(ends[-1]))
        texts = hdf5.text(group["text"])[rows]
        lines = [
            Line(start_s, end_s, text, confidence)
            for (start_s, end_s), text, confidence in zip(
                group["time_s"][rows].tolist(), texts, group["confidence"][rows].tolist(), strict=True
            )
        ]
        words[kind] = tuple(tuple(lines[a - ends[0] : b - ends[0]]) for a, b in pairwise(ends))
    return words


def counts(file: h5py.File, kind: str) -> Int64:
    """(T,) lines of each segment."""
    lines: Int64 = np.diff(file[f"{GROUP}/{kind}/offset"][:])
    return lines


def sizes(file: h5py.File, segments: Runs) -> dict[str, Int64]:
    """Lines of each of some segments (half-open ranges), by kind."""
    nothing = np.zeros(0, np.int64)
    return {
        kind: np.concatenate([nothing, *(counts(file, kind)[start:stop] for start, stop in segments)])
        for kind in kinds(file)
    }


def layout(file: hdf5.NewFile, parts: Sequence[dict[str, Int64]], segments: Sequence[int]) -> None:
    """Datasets for the words of parts with these `sizes` and numbers of segments; offsets are filled."""
    for kind in dict.fromkeys(kind for part in parts for kind in part):
        lines = [part.get(kind, np.zeros(n, np.int64)) for part, n in zip(parts, segments, strict=True)]
        ends = _ends(np.concatenate(lines))
        hdf5.create(file, f"{GROUP}/{kind}/offset", ends.shape, np.int64)[...] = ends
        total = int(ends[-1])
        hdf5.create(file, f"{GROUP}/{kind}/text", (total,), hdf5.STRING)
        hdf5.create(file, f"{GROUP}/{kind}/time_s", (total, 2), np.float64)
        hdf5.create(file, f"{GROUP}/{kind}/confidence", (total,), np.float32)


def rows(source: h5py.File, target: h5py.File, segments: Runs, at: int) -> Iterator[tuple[str, Runs, int]]:
    """What to copy for these segments, which become those from ``at`` on: dataset, ranges of rows, first new row."""
    for kind in kinds(source):
        ends = source[f"{GROUP}/{kind}/offset"][:]
        first = int(target[f"{GROUP}/{kind}/offset"][at])
        for name in ("text", "time_s", "confidence"):
            yield f"{GROUP}/{kind}/{name}", [(int(ends[a]), int(ends[b])) for a, b in segments], first


def _ends(lines: Sequence[int] | Int64) -> Int64:
    return np.concatenate([[0], np.cumsum(np.asarray(lines, np.int64))]).astype(np.int64)
