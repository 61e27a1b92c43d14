"""Adding feature columns to a store that has everything else already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.store import hdf5
from segfeat.store.manifest import PartEntry, read_manifest, sha256_of, sole_writer, write_manifest
from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, EncoderSpec, Modality


class Column(Protocol):
    """Features of one modality for videos of a store.

    Attributes
    ----------
    spec : EncoderSpec
    """

    spec: EncoderSpec

    def segments(self, video_id: str, count: int) -> tuple[npt.NDArray[np.float16], Bool]:
        """Features (count, D) of a video that has so many segments, and (count,) where there are any."""


def add_columns(store: str | Path, columns: Mapping[Modality, Column]) -> None:
    """Write a store anew with these columns, by modality, in the place of those of the same modality that it has.

    Everything else stays as it is. The store appears with all of them or stays the old one; readers that have it open
    go on with what they opened. Parts of a store in parts are written beside the old ones.

    Raises
    ------
    ValueError
        If another process is adding to this store.
    OSError
        If the disk is full or the store cannot be written; it is as it was.
    """
    path = Path(store)
    if not path.is_dir():
        _rewrite(path, path, columns)
        return
    with sole_writer(path):
        manifest = read_manifest(path)
        specs: dict[str, EncoderSpec] = {modality: column.spec for modality, column in columns.items()}
        header = replace(manifest.header, encoders={**manifest.header.encoders, **specs})
        parts = tuple(_part(path, entry, columns) for entry in manifest.parts)
        write_manifest(path, replace(manifest, header=header, parts=parts))


def _part(folder: Path, entry: PartEntry, columns: Mapping[Modality, Column]) -> PartEntry:
    """A part with the columns, under the name of its content; the rows that count are the same."""
    writing = folder / f"part-{os.getpid()}.h5.writing"
    try:
        _rewrite(folder / entry.file, writing, columns)
        with FeatureStore(writing) as part:
            path = folder / f"part-{part.content_hash[:24]}.h5"
            os.replace(writing, path)
            return replace(
                entry,
                file=path.name,
                size_bytes=path.stat().st_size,
                sha256=sha256_of(path),
                content_hash=part.content_hash,
            )
    finally:
        writing.unlink(missing_ok=True)


def _rewrite(path: Path, target: Path, columns: Mapping[Modality, Column]) -> None:
    """One file with the columns."""
    replaced = {f"{group}/{modality}" for group in ("features", "valid") for modality in columns}
    with FeatureStore(path) as store, h5py.File(path, "r") as source, hdf5.new_file(target) as file:
        names: list[str] = []
        source.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        for name in names:
            if name not in replaced:
                _copy(source[name], hdf5.create(file, name, source[name].shape, source[name].dtype))
        for modality, column in columns.items():
            total = store.segment_total
            features = hdf5.create(file, f"features/{modality}", (total, column.spec.dim), np.float16)
            valid = hdf5.create(file, f"valid/{modality}", (total,), np.bool_)
            for start, values, there in _blocks(store, column):
                features[start : start + len(values)] = values
                valid[start : start + len(there)] = there
                file.check()
            features.attrs.update(column.spec.attributes())
        for key in source.attrs:
            if key != "root":
                file.attrs[key] = source.attrs[key]
        file.attrs.create("root", store.root.encode("utf-8", "surrogateescape"), dtype=hdf5.STRING)
        file.attrs["content_hash"] = hdf5.content_hash(file)


def _blocks(store: FeatureStore, column: Column) -> Iterator[tuple[int, npt.NDArray[np.float16], Bool]]:
    """First row, features and where there are any, of many segments at a time."""
    values, there = [np.zeros((0, column.spec.dim), np.float16)], [np.zeros(0, bool)]
    start, waiting = 0, 0
    counts = np.diff(store.offset).tolist()
    for video_id, count in zip(store, counts, strict=True):
        features, valid = column.segments(video_id, count)
        values.append(features)
        there.append(valid)
        waiting += count
        if waiting >= hdf5.COPY_ROWS:
            yield start, np.concatenate(values), np.concatenate(there)
            start, waiting, values, there = start + waiting, 0, [], []
    if waiting:
        yield start, np.concatenate(values), np.concatenate(there)


def _copy(source: h5py.Dataset, target: h5py.Dataset) -> None:
    rows = hdf5.COPY_ROWS * 64 if source.ndim == 1 and source.dtype.itemsize == 1 else hdf5.COPY_ROWS
    for start in range(0, source.shape[0], rows):
        block: npt.NDArray[Any] = source[start : start + rows]
        target[start : start + len(block)] = block
    for key, value in source.attrs.items():
        target.attrs[key] = value
