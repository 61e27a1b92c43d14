"""Writing a store from memory; a shard is a small store. Large ones come from merging shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.attribute import Attribute, Users
from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store import hdf5, words
from segfeat.store.attributes import checked_name, user_columns
from segfeat.store.attributes import columns as attribute_columns
from segfeat.store.format import FORMAT_VERSION, VIDEO_STATUS
from segfeat.types import StoreHeader, VideoFeatures


def write_store(
    path: str | Path,
    header: StoreHeader,
    videos: Sequence[VideoFeatures],
    failures: Sequence[Failure] = (),
    interactions: Interactions | None = None,
    root: str = "",
    users: Users | None = None,
) -> None:
    """Write a store from memory; ``root`` is the folder that its paths are relative to.

    Raises
    ------
    ValueError
        If two videos share an id, a video has no segments, or features do not fit the header's encoder specs.
    OSError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    seen: set[str] = set()
    for video in videos:
        _check_video(video, header)
        if video.video_id in seen:
            raise ValueError(f"video id {video.video_id!r} stands twice in {path}")
        seen.add(video.video_id)
    sizes = [len(v.spans_s) for v in videos]
    pictures = max((v.frame_time_s.shape[1] for v in videos), default=0)
    columns: dict[str, npt.NDArray[Any]] = {
        "videos/id": hdf5.strings(v.video_id for v in videos),
        "videos/path": hdf5.strings(v.path for v in videos),
        "videos/title": hdf5.strings(v.title for v in videos),
        "videos/duration_s": np.array([v.duration_s for v in videos], dtype=np.float64),
        "videos/offset": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "videos/status": hdf5.strings(v.status for v in videos),
        "videos/decoder": hdf5.strings(v.decoder for v in videos),
        "videos/size_bytes": np.array([v.size_bytes for v in videos], dtype=np.int64),
        "videos/mtime_ns": np.array([v.mtime_ns for v in videos], dtype=np.int64),
        "segments/span_s": _stacked([v.spans_s for v in videos], (0, 2), np.float64),
        "segments/frame_time_s": _stacked([_padded_times(v, pictures) for v in videos], (0, pictures), np.float64),
        "segments/text": hdf5.strings(t for v in videos for t in (v.segment_text or ("",) * len(v.spans_s))),
    }
    if any(v.problems for v in videos):
        columns["videos/problems"] = hdf5.strings(v.problems for v in videos)
    for modality, spec in header.encoders.items():
        columns[f"features/{modality}"] = _stacked([v.features[modality] for v in videos], (0, spec.dim), np.float16)
        columns[f"valid/{modality}"] = _stacked([v.valid[modality] for v in videos], (0,), np.bool_)
    named = dict.fromkeys(name for v in videos for name in v.attributes)
    columns |= attribute_columns(
        "videos", {name: Attribute.of(v.attributes.get(name, ()) for v in videos) for name in named}
    )
    columns |= words.columns(videos)
    if any(any(v.thumbnails) for v in videos):
        blobs = [b for v in videos for b in (v.thumbnails or (b"",) * len(v.spans_s))]
        columns["thumbnails/offset"] = np.concatenate([[0], np.cumsum([len(b) for b in blobs])]).astype(np.int64)
        columns["thumbnails/data"] = np.frombuffer(b"".join(blobs), dtype=np.uint8)
    with hdf5.new_file(path) as file:
        for name, values in columns.items():
            hdf5.create(file, name, values.shape, values.dtype)[...] = values
        finish(file, header, failures, interactions, root, users or Users())


def finish(
    file: hdf5.NewFile,
    header: StoreHeader,
    failures: Sequence[Failure],
    log: Interactions | None,
    root: str,
    users: Users,
) -> None:
    """Write failures, log, users and file attributes: what every store has, whoever wrote its other columns."""
    columns: dict[str, npt.NDArray[Any]] = {
        **{f"failures/{n}": hdf5.strings(getattr(f, n) for f in failures) for n in ("path", "code", "message")},
        **{f"failures/{n}": np.array([getattr(f, n) for f in failures], np.int64) for n in ("size_bytes", "mtime_ns")},
    }
    if log is not None:
        columns |= {f"interactions/{n}": hdf5.strings(getattr(log, f"{n}s")) for n in ("user_id", "video_id")}
        numbers = ("user", "video", "time_ms", "watch_ms", "duration_ms")
        columns |= {f"interactions/{n}": getattr(log, n) for n in numbers}
        for name, (codes, names) in log.context.items():
            group = f"interactions/context/{checked_name(name)}"
            columns |= {f"{group}/names": hdf5.strings(names), f"{group}/codes": codes}
    columns |= user_columns(users)
    for name, values in columns.items():
        hdf5.create(file, name, values.shape, values.dtype)[...] = values
    file.check()
    for modality, spec in header.encoders.items():
        file[f"features/{modality}"].attrs.update(spec.attributes())
    file.attrs.update(
        format="segfeat",
        format_version=FORMAT_VERSION,
        segment_s=header.segment_s,
        parameters=json.dumps(dict(header.parameters), sort_keys=True),
    )
    file.attrs.create("root", root.encode("utf-8", "surrogateescape"), dtype=hdf5.STRING)
    file.attrs["content_hash"] = hdf5.content_hash(file)


def _stacked(arrays: Sequence[npt.NDArray[Any]], empty: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate(arrays).astype(dtype) if arrays else np.zeros(empty, dtype)


def _padded_times(video: VideoFeatures, pictures: int) -> npt.NDArray[np.float64]:
    times = video.frame_time_s
    if times.shape == (len(video.spans_s), pictures):
        return times
    if times.shape[1]:
        raise ValueError(
            f"video {video.video_id!r}: frame times are {times.shape}, expected {(len(video.spans_s), pictures)}"
        )
    return np.full((len(video.spans_s), pictures), np.nan)


def _check_video(video: VideoFeatures, header: StoreHeader) -> None:
    n = len(video.spans_s)
    if (n == 0) != (video.duration_s == 0):
        raise ValueError(f"video {video.video_id!r} has {n} segments, but lasts {video.duration_s:g} s")
    if video.status not in VIDEO_STATUS:
        raise ValueError(f"video {video.video_id!r}: status {video.status!r}; valid are {', '.join(VIDEO_STATUS)}")
    for what, given in (("texts", video.segment_text), ("thumbnails", video.thumbnails)):
        if given and len(given) != n:
            raise ValueError(f"video {video.video_id!r} has {len(given)} {what} for {n} segments")
    if set(video.features) != set(header.encoders):
        raise ValueError(
            f"video {video.video_id!r} has features {sorted(video.features)}, expected {sorted(header.encoders)}"
        )
    for modality, spec in header.encoders.items():
        shape = video.features[modality].shape
        if shape != (n, spec.dim) or video.valid[modality].shape != (n,):
            raise ValueError(f"video {video.video_id!r}: {modality} features are {shape}, expected {(n, spec.dim)}")
        with np.errstate(over="ignore"):
            half = video.features[modality].astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"video {video.video_id!r}: {modality} features are not finite in half precision")
