"""Writing stores: small ones from memory (a shard is a small store), large ones by merging shards.

A file appears under its name only when it is complete: it is written under a temporary name beside the target, synced
to disk and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.interactions import Interactions
from segfeat.store import FORMAT_VERSION, VIDEO_STATUS, Failure, FeatureStore, StoreHeader
from segfeat.types import VideoFeatures

TEMPORARY_SUFFIX = ".writing"

_STRING = h5py.string_dtype("utf-8")
_COPY_ROWS = 65_536
"""Rows copied at a time while merging, so that memory does not grow with the store."""


def write_store(
    path: str | Path,
    header: StoreHeader,
    videos: Sequence[VideoFeatures],
    failures: Sequence[Failure] = (),
    interactions: Interactions | None = None,
) -> None:
    """Write a store from memory.

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
        "videos/id": _strings(v.video_id for v in videos),
        "videos/path": _strings(v.path for v in videos),
        "videos/duration_s": np.array([v.duration_s for v in videos], dtype=np.float64),
        "videos/offset": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "videos/status": _strings(v.status for v in videos),
        "videos/decoder": _strings(v.decoder for v in videos),
        "videos/size_bytes": np.array([v.size_bytes for v in videos], dtype=np.int64),
        "videos/mtime_ns": np.array([v.mtime_ns for v in videos], dtype=np.int64),
        "segments/span_s": _stacked([v.spans_s for v in videos], (0, 2), np.float64),
        "segments/frame_time_s": _stacked([_padded_times(v, pictures) for v in videos], (0, pictures), np.float64),
        "segments/text": _strings(t for v in videos for t in (v.segment_text or ("",) * len(v.spans_s))),
    }
    for modality, spec in header.encoders.items():
        columns[f"features/{modality}"] = _stacked([v.features[modality] for v in videos], (0, spec.dim), np.float16)
        columns[f"valid/{modality}"] = _stacked([v.valid[modality] for v in videos], (0,), np.bool_)
    if any(v.thumbnails for v in videos):
        blobs = [b for v in videos for b in (v.thumbnails or (b"",) * len(v.spans_s))]
        columns["thumbnails/offset"] = np.concatenate([[0], np.cumsum([len(b) for b in blobs])]).astype(np.int64)
        columns["thumbnails/data"] = np.frombuffer(b"".join(blobs), dtype=np.uint8)
    with _new_file(path) as file:
        for name, values in columns.items():
            _create(file, name, values.shape, values.dtype)[...] = values
        _finish(file, header, _failure_columns(failures), interactions, path)


def merge_stores(
    parts: Sequence[str | Path],
    path: str | Path,
    interactions: Interactions | None = None,
    header: StoreHeader | None = None,
) -> None:
    """Concatenate stores with equal headers into a new one, in bounded memory.

    Parameters
    ----------
    parts : sequence of paths
        Stores in the order in which their videos shall stand; ``path`` itself may be among them.
    path : path
        Replaced atomically.
    interactions : Interactions, optional
        The watch log of the result; the parts' own logs are not kept.
    header : StoreHeader, optional
        Needed where ``parts`` is empty; otherwise the first part's.

    Raises
    ------
    ValueError
        If headers differ (the message says in what) or two parts hold the same video id.
    """
    with ExitStack() as stack:
        stores = [stack.enter_context(FeatureStore(p)) for p in parts]
        if stores:
            header = stores[0].header
        if header is None:
            raise ValueError(f"{path}: nothing to merge and no header given")
        seen: dict[str, Path] = {}
        for store in stores:
            if lines := header.differences(store.header):
                raise ValueError(f"{store.path} cannot join {stores[0].path}: " + "; ".join(lines))
            for video_id in store:
                if video_id in seen:
                    raise ValueError(f"video {video_id!r} stands both in {seen[video_id]} and in {store.path}")
                seen[video_id] = store.path
        full = [s for s in stores if len(s)]
        files = [s._file for s in full]
        with _new_file(path) as file:
            _merge_columns(file, files, header)
            offsets = [np.diff(s.offset) for s in full]
            sizes = np.concatenate(offsets) if offsets else np.zeros(0, np.int64)
            file["videos/offset"][...] = np.concatenate([[0], np.cumsum(sizes)])
            failures = [failure for store in stores for failure in store.failures]
            _finish(file, header, _failure_columns(failures), interactions, path)


def _merge_columns(file: h5py.File, files: Sequence[h5py.File], header: StoreHeader) -> None:
    """Every dataset but logs and failures, one part after another."""
    pictures = max((f["segments/frame_time_s"].shape[1] for f in files), default=0)
    counts = {
        "videos": sum(len(f["videos/id"]) for f in files),
        "segments": sum(len(f["segments/span_s"]) for f in files),
    }
    layout: dict[str, tuple[tuple[int, ...], Any]] = {
        **{f"videos/{n}": ((counts["videos"],), _STRING) for n in ("id", "path", "status", "decoder")},
        "videos/duration_s": ((counts["videos"],), np.float64),
        **{f"videos/{n}": ((counts["videos"],), np.int64) for n in ("size_bytes", "mtime_ns")},
        "segments/span_s": ((counts["segments"], 2), np.float64),
        "segments/frame_time_s": ((counts["segments"], pictures), np.float64),
        "segments/text": ((counts["segments"],), _STRING),
    }
    for modality, spec in header.encoders.items():
        layout[f"features/{modality}"] = ((counts["segments"], spec.dim), np.float16)
        layout[f"valid/{modality}"] = ((counts["segments"],), np.bool_)
    for name, (shape, dtype) in layout.items():
        target, at = _create(file, name, shape, dtype), 0
        if name == "segments/frame_time_s":
            # Imported parts know no picture times; the others agree on F, which the header's parameters fix.
            for f in files:
                n = len(f["segments/span_s"])
                times = f[name][:]
                target[at : at + n] = times if times.shape[1] else np.nan
                at += n
            continue
        for f in files:
            at = _copy(f[name], target, at)
    _create(file, "videos/offset", (counts["videos"] + 1,), np.int64)
    if any("thumbnails" in f for f in files):
        lengths = [
            np.diff(f["thumbnails/offset"][:]) if "thumbnails" in f else np.zeros(len(f["segments/span_s"]), np.int64)
            for f in files
        ]
        ends = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        _create(file, "thumbnails/offset", ends.shape, np.int64)[...] = ends
        data, at = _create(file, "thumbnails/data", (int(ends[-1]),), np.uint8), 0
        for f in files:
            if "thumbnails" in f:
                at = _copy(f["thumbnails/data"], data, at, rows=_COPY_ROWS * 64)


def _copy(source: h5py.Dataset, target: h5py.Dataset, at: int, rows: int = _COPY_ROWS) -> int:
    for start in range(0, len(source), rows):
        block = source[start : start + rows]
        target[at : at + len(block)] = block
        at += len(block)
    return at


def _finish(
    file: h5py.File,
    header: StoreHeader,
    failures: dict[str, npt.NDArray[Any]],
    log: Interactions | None,
    path: str | Path,
) -> None:
    """Failures, log and attributes: what every store has whoever wrote its columns."""
    for name, values in failures.items():
        _create(file, name, values.shape, values.dtype)[...] = values
    if log is not None:
        columns = {
            "user_id": _strings(log.user_ids),
            "video_id": _strings(log.video_ids),
            **{n: getattr(log, n) for n in ("user", "video", "time_ms", "watch_ms", "duration_ms")},
        }
        for name, values in columns.items():
            _create(file, f"interactions/{name}", values.shape, values.dtype)[...] = values
    for modality, spec in header.encoders.items():
        file[f"features/{modality}"].attrs.update(spec.attributes())
    file.attrs.update(
        format="segfeat",
        format_version=FORMAT_VERSION,
        segment_s=header.segment_s,
        parameters=json.dumps(dict(header.parameters), sort_keys=True),
    )
    file.attrs["content_hash"] = _content_hash(file)


def _content_hash(file: h5py.File) -> str:
    """SHA-256 over names, shapes, attributes and values of all datasets, in name order."""
    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    digest = hashlib.sha256()
    digest.update(f"{file.attrs['segment_s']} {file.attrs['parameters']}".encode())
    for name in sorted(names):
        dataset = file[name]
        attributes = {k: str(v) for k, v in dataset.attrs.items()}
        digest.update(f"{name} {dataset.dtype.str} {dataset.shape} {json.dumps(attributes, sort_keys=True)}".encode())
        rows = _COPY_ROWS * 64 if dataset.ndim == 1 and dataset.dtype.itemsize == 1 else _COPY_ROWS
        for start in range(0, dataset.shape[0], rows):
            block = dataset[start : start + rows]
            digest.update(
                b"".join(text + b"\0" for text in block.tolist())
                if block.dtype == object
                else np.ascontiguousarray(block).tobytes()
            )
    return digest.hexdigest()


@contextmanager
def _new_file(path: str | Path) -> Iterator[h5py.File]:
    """A file that appears under ``path`` only when the block ends well.

    The temporary name carries the process id: two machines or processes may write one shard at once, the last one wins.
    """
    target = Path(path)
    temporary = target.with_name(f"{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        with h5py.File(temporary, "w", libver="latest") as file:
            yield file
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _create(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    string = dtype == _STRING or np.dtype(dtype) == np.dtype(object)
    return file.create_dataset(name, shape=shape, dtype=_STRING if string else dtype)


def _strings(values: Iterable[str]) -> npt.NDArray[np.object_]:
    """Strings as HDF5 takes them: names of files that are no UTF-8 keep their bytes, NUL is replaced."""
    return np.array([v.replace("\0", "\ufffd").encode("utf-8", "surrogateescape") for v in values], dtype=object)


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


def _failure_columns(failures: Sequence[Failure]) -> dict[str, npt.NDArray[Any]]:
    columns = {f"failures/{n}": _strings(getattr(f, n) for f in failures) for n in ("path", "code", "message")}
    for name in ("size_bytes", "mtime_ns"):
        columns[f"failures/{name}"] = np.array([getattr(f, name) for f in failures], dtype=np.int64)
    return columns


def _check_video(video: VideoFeatures, header: StoreHeader) -> None:
    n = len(video.spans_s)
    if n == 0:
        raise ValueError(f"video {video.video_id!r} has no segments")
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
