"""A store in parts, opened for reading: what a single file answers, this answers from many.

The folder's files are described in :mod:`segfeat.store.manifest`. Opening reads the manifest and maps the id index;
parts are opened when something of theirs is asked for.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.attribute import Attribute, Users
from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store.format import FORMAT_VERSION
from segfeat.store.id_index import IdIndex, VideoRows
from segfeat.store.log_files import read_log
from segfeat.store.manifest import read_manifest
from segfeat.store.parted_column import PartedColumn
from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, Float64, Int64, VideoFeatures

FILES_A_PART = 2
"""File handles that an opened part needs: its own and its map's."""


class PartedStore(FeatureStore):
    """A store in parts; see :class:`FeatureStore`, which opens it.

    Parameters
    ----------
    path : path
        The folder with the manifest.

    Raises
    ------
    ValueError
        If there is no manifest, or one of a newer version; and later, if a part turns out to be missing or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = manifest = read_manifest(self.path)
        if manifest.format_version > FORMAT_VERSION:
            raise ValueError(
                f"{self.path}: written in store format {manifest.format_version}, but this segfeat reads up to "
                f"{FORMAT_VERSION}: upgrade segfeat"
            )
        self.header, self.root = manifest.header, manifest.root
        self.format_version, self.content_hash = manifest.format_version, manifest.content_hash
        self._opened: dict[int, FeatureStore] = {}
        self._valid: dict[str, Bool] = {}
        self._features: dict[str, Any] = {}
        try:
            indexes = [IdIndex(self.path / entry.file) for entry in manifest.ids]
        except (OSError, KeyError) as error:
            raise ValueError(f"{self.path}: its id index cannot be read: {error}") from error
        self._ids = VideoRows(indexes)
        if len(self._ids) != manifest.count("videos"):
            raise ValueError(
                f"{self.path}: {len(self._ids)} ids for {manifest.count('videos')} videos: the id index does not fit"
            )
        self.offset = _end_to_end([i.offset for i in indexes])
        self.duration_s: Float64 = _concatenated([i.duration_s for i in indexes], np.float64)
        self._runs = {
            table: [(k, a, b) for k, part in enumerate(manifest.parts) for a, b in getattr(part, table)]
            for table in ("videos", "segments", "failures")
        }
        self._video_start = np.concatenate([[0], np.cumsum([b - a for _, a, b in self._runs["videos"]])])
        _allow_files(len(manifest.parts) * FILES_A_PART)

    def close(self) -> None:
        """Close all parts; arrays already handed out stay valid."""
        for store in self._opened.values():
            store.close()

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk of all files that belong to the store."""
        return sum(entry.size_bytes for entry in self.manifest.files())

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Where each video id stands."""
        return self._ids

    @cached_property
    def video_ids(self) -> npt.NDArray[np.object_]:
        """(V,) all ids as strings; about 70 bytes each, so that large stores are better asked with ``rows``."""
        return np.array(list(self._ids), dtype=object)

    def video_at(self, row: int) -> VideoFeatures:
        """The video in a row."""
        run = int(np.searchsorted(self._video_start, row, side="right")) - 1
        part, first, _ = self._runs["videos"][run]
        return self._part(part).video_at(first + row - int(self._video_start[run]))

    @cached_property
    def spans_s(self) -> Float64:
        """Spans (T, 2) in seconds of all segments, fetched from the parts as they are asked for."""
        column: Any = self._column("segments", lambda store: store.spans_s, (2,), np.float64)
        return column

    @cached_property
    def paths(self) -> npt.NDArray[np.object_]:
        """(V,) paths relative to the scanned root; empty where there is no raw video."""
        return self._strings_of("videos", lambda store: store.paths)

    @cached_property
    def titles(self) -> npt.NDArray[np.object_]:
        """(V,) what the metadata said about each video; empty where there was none."""
        return self._strings_of("videos", lambda store: store.titles)

    @cached_property
    def status(self) -> npt.NDArray[np.object_]:
        """(V,) ``ok`` or ``partial``."""
        return self._strings_of("videos", lambda store: store.status)

    @cached_property
    def problems(self) -> npt.NDArray[np.object_]:
        """(V,) what could not be read of each video, in words; empty where all could."""
        return self._strings_of("videos", lambda store: store.problems)

    @cached_property
    def decoders(self) -> npt.NDArray[np.object_]:
        """(V,) decoder names; empty where nobody decoded."""
        return self._strings_of("videos", lambda store: store.decoders)

    @cached_property
    def segment_text(self) -> npt.NDArray[np.object_]:
        """(T,) title and subtitles of each segment; empty where there are none."""
        return self._strings_of("segments", lambda store: store.segment_text)

    @cached_property
    def word_counts(self) -> Mapping[str, Int64]:
        """(T,) lines of each segment by the source of words; sources that were not read are absent."""
        known = [self._part(k).word_counts for k in range(len(self.manifest.parts))]
        return {
            kind: np.concatenate(
                [
                    known[k][kind][a:b] if kind in known[k] else np.zeros(b - a, np.int64)
                    for k, a, b in self._runs["segments"]
                ]
            )
            for kind in dict.fromkeys(kind for counts in known for kind in counts)
        }

    @cached_property
    def source_stat(self) -> Int64:
        """(V, 2): size in bytes and mtime in ns of each source file when it was read."""
        return self._joined("videos", lambda store: store.source_stat, np.zeros((0, 2), np.int64))

    def features(self, modality: str) -> npt.NDArray[Any]:
        """Feature column (T, D) of a modality, read-only; rows are fetched from the parts as they are asked for."""
        self._check_modality(modality)
        if modality not in self._features:
            dim = self.encoders[modality].dim
            self._features[modality] = self._column("segments", lambda s: s.features(modality), (dim,), np.float16)
        found: npt.NDArray[Any] = self._features[modality]
        return found

    def valid(self, modality: str) -> Bool:
        """(T,) False where a segment has no such material."""
        self._check_modality(modality)
        if modality not in self._valid:
            self._valid[modality] = self._joined("segments", lambda s: s.valid(modality), np.zeros(0, bool))
        return self._valid[modality]

    @cached_property
    def video_attributes(self) -> Mapping[str, Attribute]:
        """Categorical attributes of the videos (V rows each) by name: author, tags, music."""
        known = [self._part(k).video_attributes for k in range(len(self.manifest.parts))]
        runs = self._runs["videos"]
        return {
            name: Attribute.joined(
                [
                    known[k][name].take(np.arange(a, b)) if name in known[k] else Attribute.of([()] * (b - a))
                    for k, a, b in runs
                ]
            )
            for name in dict.fromkeys(name for attributes in known for name in attributes)
        }

    @cached_property
    def users(self) -> Users:
        """What is known about users besides their views; of a user in several parts, the first one's attributes."""
        users = Users()
        for k in range(len(self.manifest.parts)):
            users = users.joined(self._part(k).users)
        return users

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The files that gave no video."""
        return tuple(f for k, a, b in self._runs["failures"] for f in self._part(k).failures[a:b])

    @cached_property
    def interactions(self) -> Interactions | None:
        """The watch log, where the store carries one."""
        return read_log(self.path, self.manifest.log)

    def _take(self, modality: str, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows of a feature column, each from the part in which it stands."""
        shape = (self.segment_total, self.encoders[modality].dim)

        def take(part: int, inside: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return self._part(part)._take(modality, inside)

        return PartedColumn(self._runs["segments"], take, shape, np.float32, as_stored=True).take(rows)

    def _part(self, k: int) -> FeatureStore:
        if k not in self._opened:
            entry = self.manifest.parts[k]
            store = FeatureStore(self.path / entry.file)
            if store.content_hash != entry.content_hash:
                store.close()
                raise ValueError(f"{store.path}: not the part that {self.path}'s manifest speaks of")
            self._opened[k] = store
        return self._opened[k]

    def _column(
        self, table: str, of: Callable[[FeatureStore], npt.NDArray[Any]], rest: tuple[int, ...], dtype: Any
    ) -> Any:
        return PartedColumn(
            self._runs[table],
            lambda part, rows: of(self._part(part))[rows],
            (self.manifest.count(table), *rest),
            dtype,
        )

    def _joined(
        self, table: str, of: Callable[[FeatureStore], npt.NDArray[Any]], empty: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        return np.concatenate([empty, *(of(self._part(k))[a:b] for k, a, b in self._runs[table])])

    def _strings_of(self, table: str, of: Callable[[FeatureStore], npt.NDArray[np.object_]]) -> npt.NDArray[np.object_]:
        return self._joined(table, of, np.zeros(0, object))


def _end_to_end(offsets: list[Int64]) -> Int64:
    """Offsets (V+1,) of runs of videos, one run after another; a single one as it is, mapped."""
    if len(offsets) == 1:
        return offsets[0]
    base = np.concatenate([[0], np.cumsum([o[-1] for o in offsets])]).astype(np.int64)
    return np.concatenate([[0], *(o[1:] + b for o, b in zip(offsets, base, strict=False))]).astype(np.int64)


def _concatenated(arrays: list[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, dtype), *arrays])


def _allow_files(count: int) -> None:
    """Let the process hold as many files open as the store has, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(hard, wanted), hard)
        )
