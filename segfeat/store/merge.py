"""Concatenating stores in bounded memory: a large store is its shards, one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.attribute import Attribute, Users
from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store import hdf5, words
from segfeat.store.attributes import columns as attribute_columns
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import finish
from segfeat.types import Int64, StoreHeader

Runs = Sequence[tuple[int, int]]
"""Half-open ranges of rows, ascending."""


@dataclass(frozen=True)
class Part:
    """A single-file store to be merged, or some of its rows.

    Attributes
    ----------
    path : path
    without : frozenset of str
        Paths whose videos and failures are left out.
    videos, failures : runs or None
        The rows to be taken; None: all.
    share : float
        Of the file's bytes, about how much of them that is.
    """

    path: str | Path
    without: frozenset[str] = frozenset()
    videos: Sequence[tuple[int, int]] | None = None
    failures: Sequence[tuple[int, int]] | None = None
    share: float = 1.0

    @property
    def size_bytes(self) -> int:
        """About how much there is to copy."""
        return round(Path(self.path).stat().st_size * self.share)


def merge_stores(
    parts: Sequence[str | Path | Part],
    path: str | Path,
    interactions: Interactions | None = None,
    header: StoreHeader | None = None,
    root: str = "",
    users: Users | None = None,
) -> None:
    """Concatenate stores with equal headers into a new one, in bounded memory and with one part open at a time.

    Parameters
    ----------
    parts : sequence of paths or parts
        Stores in the order in which their videos shall stand; ``path`` itself may be among them.
    path : path
        Replaced atomically.
    interactions : Interactions, optional
        The watch log of the result; the parts' own logs are not kept.
    header : StoreHeader, optional
        Needed where ``parts`` is empty; otherwise the first part's.
    root : str
        The folder that the paths of the result are relative to.
    users : Users, optional
        The user table of the result; otherwise that of all parts.

    Raises
    ------
    ValueError
        If headers differ (the message says in what) or two parts hold the same video id.
    """
    outlines: list[_Outline] = []
    seen: dict[str, Path] = {}
    for part in (p if isinstance(p, Part) else Part(p) for p in parts):
        with FeatureStore(part.path) as store, h5py.File(part.path, "r") as file:
            header = header or store.header
            if lines := header.differences(store.header):
                first = outlines[0].part.path if outlines else "the store asked for"
                raise ValueError(f"{store.path} cannot join {first}: " + "; ".join(lines))
            outline = _outline(part, store, file)
            for start, stop in outline.videos:
                for video_id in store.video_ids[start:stop].tolist():
                    if video_id in seen:
                        raise ValueError(f"video {video_id!r} stands both in {seen[video_id]} and in {store.path}")
                    seen[video_id] = store.path
            outlines.append(outline)
    if header is None:
        raise ValueError(f"{path}: nothing to merge and no header given")
    with hdf5.new_file(path) as file:
        _layout(file, header, outlines)
        at = dict.fromkeys(("videos", "segments", "thumbnails"), 0)
        for outline in outlines:
            with h5py.File(outline.part.path, "r") as source:
                _append(source, file, outline, at)
        failures = [failure for outline in outlines for failure in outline.failures]
        if users is None:
            users = reduce(Users.joined, (outline.users for outline in outlines), Users())
        finish(file, header, failures, interactions, root, users)


@dataclass(frozen=True, eq=False)
class _Outline:
    """What of a part goes into the result: rows of each table, segments of each kept video, bytes of each thumbnail."""

    part: Part
    videos: Runs
    segments: Runs
    sizes: Int64
    thumbnail_sizes: Int64 | None
    pictures: int
    problems: bool
    failures: tuple[Failure, ...]
    attributes: Mapping[str, Attribute]
    users: Users
    words: dict[str, Int64]


def _outline(part: Part, store: FeatureStore, file: h5py.File) -> _Outline:
    keep = _taken(part.videos, len(store))
    if part.without:
        keep &= np.array([path not in part.without for path in store.paths], dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    videos = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    segments = [(int(store.offset[a]), int(store.offset[b])) for a, b in videos]
    ends = file["thumbnails/offset"][:] if "thumbnails" in file else None
    failed = _taken(part.failures, len(store.failures))
    return _Outline(
        part,
        videos,
        segments,
        np.diff(store.offset)[keep],
        None if ends is None else np.concatenate([np.diff(ends[a : b + 1]) for a, b in [(0, 0), *segments]]),
        file["segments/frame_time_s"].shape[1] if videos else 0,
        bool((store.problems[keep] != "").any()),
        tuple(f for f, taken in zip(store.failures, failed, strict=True) if taken and f.path not in part.without),
        {name: attribute.take(np.flatnonzero(keep)) for name, attribute in store.video_attributes.items()},
        store.users,
        words.sizes(file, segments),
    )


def _taken(runs: Sequence[tuple[int, int]] | None, count: int) -> npt.NDArray[np.bool_]:
    """(count,) which rows are meant; None: all."""
    taken = np.full(count, runs is None)
    for start, stop in runs or ():
        taken[start:stop] = True
    return taken


def _layout(file: hdf5.NewFile, header: StoreHeader, outlines: Sequence[_Outline]) -> None:
    """Every dataset but logs and failures at its full size; those that need no part's data are filled."""
    sizes = np.concatenate([np.zeros(0, np.int64), *(o.sizes for o in outlines)])
    v, t = len(sizes), int(sizes.sum())
    pictures = max((o.pictures for o in outlines), default=0)
    layout: dict[str, tuple[tuple[int, ...], Any]] = {
        **{f"videos/{n}": ((v,), hdf5.STRING) for n in ("id", "path", "title", "status", "decoder")},
        **{f"videos/{n}": ((v,), np.int64) for n in ("size_bytes", "mtime_ns")},
        "videos/duration_s": ((v,), np.float64),
        "videos/offset": ((v + 1,), np.int64),
        "segments/span_s": ((t, 2), np.float64),
        "segments/frame_time_s": ((t, pictures), np.float64),
        "segments/text": ((t,), hdf5.STRING),
    }
    if any(o.problems for o in outlines):
        layout["videos/problems"] = ((v,), hdf5.STRING)
    for modality, spec in header.encoders.items():
        layout[f"features/{modality}"] = ((t, spec.dim), np.float16)
        layout[f"valid/{modality}"] = ((t,), np.bool_)
    if any(o.thumbnail_sizes is not None and o.thumbnail_sizes.any() for o in outlines):
        lengths = [
            np.zeros(o.sizes.sum(), np.int64) if o.thumbnail_sizes is None else o.thumbnail_sizes for o in outlines
        ]
        ends = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        hdf5.create(file, "thumbnails/offset", ends.shape, np.int64)[...] = ends
        layout["thumbnails/data"] = ((int(ends[-1]),), np.uint8)
    for name, (shape, dtype) in layout.items():
        hdf5.create(file, name, shape, dtype)
    file["videos/offset"][...] = np.concatenate([[0], np.cumsum(sizes)])
    words.layout(file, [o.words for o in outlines], [int(o.sizes.sum()) for o in outlines])
    for name, values in attribute_columns("videos", _attributes(outlines)).items():
        hdf5.create(file, name, values.shape, values.dtype)[...] = values


def _attributes(outlines: Sequence[_Outline]) -> dict[str, Attribute]:
    """The attributes of all parts; a part that lacks one has videos without a category."""
    found = {}
    for name in dict.fromkeys(name for o in outlines for name in o.attributes):
        parts = [o.attributes[name] if name in o.attributes else Attribute.of([()] * len(o.sizes)) for o in outlines]
        found[name] = Attribute.joined(parts)
    return found


def _append(source: h5py.File, target: hdf5.NewFile, outline: _Outline, at: dict[str, int]) -> None:
    """One part's rows at the places reached so far, which move on."""
    for name in ("id", "path", "title", "status", "decoder", "size_bytes", "mtime_ns", "duration_s"):
        _copy(source[f"videos/{name}"], target[f"videos/{name}"], outline.videos, at["videos"])
    if outline.problems:
        _copy(source["videos/problems"], target["videos/problems"], outline.videos, at["videos"])
    names = ["segments/span_s", "segments/text"]
    names += [f"{group}/{name}" for group in ("features", "valid") for name in target.get(group, ())]
    for name in names:
        target.check()
        _copy(source[name], target[name], outline.segments, at["segments"])
    times, n = target["segments/frame_time_s"], int(outline.sizes.sum())
    if outline.pictures:
        _copy(source["segments/frame_time_s"], times, outline.segments, at["segments"])
    elif times.shape[1]:  # an imported part knows no picture times
        times[at["segments"] : at["segments"] + n] = np.nan
    if outline.thumbnail_sizes is not None and outline.thumbnail_sizes.any():
        ends = source["thumbnails/offset"][:]
        blobs = [(int(ends[a]), int(ends[b])) for a, b in outline.segments]
        _copy(source["thumbnails/data"], target["thumbnails/data"], blobs, at["thumbnails"], hdf5.COPY_ROWS * 64)
        at["thumbnails"] += int(outline.thumbnail_sizes.sum())
    for name, lines, first in words.rows(source, target, outline.segments, at["segments"]):
        _copy(source[name], target[name], lines, first)
    at["videos"] += len(outline.sizes)
    at["segments"] += n


def _copy(source: h5py.Dataset, target: h5py.Dataset, runs: Runs, at: int, rows: int | None = None) -> None:
    step = rows or hdf5.COPY_ROWS
    for first, last in runs:
        for start in range(first, last, step):
            block: npt.NDArray[Any] = source[start : min(start + step, last)]
            if block.dtype == object:  # stores of earlier versions hold names of any bytes
                block = np.array([hdf5.valid(text) for text in block.tolist()], dtype=object)
            target[at : at + len(block)] = block
            at += len(block)
