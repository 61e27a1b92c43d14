"""Reading a feature store; :mod:`segfeat.store.format` specifies the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.attribute import Attribute, Users
from segfeat.failures import Failure
from segfeat.html import facts_html
from segfeat.interactions import Categories, Interactions
from segfeat.store import words
from segfeat.store.attributes import read_attributes
from segfeat.store.frames import feature_frame, segment_frame
from segfeat.store.hdf5 import text
from segfeat.store.header import read_header
from segfeat.store.mapped import MappedColumn, MappedFile
from segfeat.store.single_precision import single
from segfeat.types import Bool, EncoderSpec, Float32, Float64, Int64, VideoFeatures

if TYPE_CHECKING:
    import pandas as pd


class FeatureStore:
    """A store opened for reading; a context manager.

    Parameters
    ----------
    path : path
        The HDF5 file, or the folder of a store in parts (see :mod:`segfeat.store.parts`).

    Raises
    ------
    ValueError
        If the file is missing, no segfeat store, or of a newer format version.
    """

    def __new__(cls, path: str | Path) -> FeatureStore:
        """A folder is opened as a store in parts, which answers every question as a single file does."""
        if cls is FeatureStore and Path(path).is_dir():
            from segfeat.store.parts import PartedStore

            return super().__new__(PartedStore)
        return super().__new__(cls)

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{self.path}: no such store")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise ValueError(f"{self.path}: not an HDF5 file, or one cut off while written: {error}") from error
        try:
            self.header = read_header(self._file, self.path)
            self.format_version = int(self._file.attrs["format_version"])
            self.content_hash = str(self._file.attrs["content_hash"])
            self.root = str(self._file.attrs["root"])
            if "videos/id" not in self._file:
                raise KeyError("videos/id")
            self.offset: Int64 = self._file["videos/offset"][:]
            self.duration_s: Float64 = self._file["videos/duration_s"][:]
            self._valid: dict[str, Bool] = {}
            self._features: dict[str, npt.NDArray[Any]] = {}
            self._columns: dict[str, MappedColumn | None] = {}
        except (KeyError, TypeError, ValueError) as error:
            self._file.close()
            if not isinstance(error, ValueError):
                raise ValueError(f"{self.path}: not a complete segfeat store: {error.args[0]}") from error
            raise

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; memory-mapped arrays already handed out stay valid."""
        self._file.close()

    def __repr__(self) -> str:
        columns = ", ".join(f"{m} {s.name} {s.dim}-d" for m, s in self.encoders.items()) or "no features"
        return f"<FeatureStore {self.path.name}: {len(self):,} videos, {self.segment_total:,} segments; {columns}>"

    def _repr_html_(self) -> str:
        log, partial = self.interactions, int((self.status == "partial").sum())
        return facts_html(
            {
                "store": str(self.path),
                "videos": f"{len(self):,}" + (f", {partial:,} of them partial" if partial else ""),
                "segments": f"{self.segment_total:,} of {self.segment_s:g} s",
                **{
                    modality: f"{spec.name}, {spec.dim} dimensions, for {int(self.valid(modality).sum()):,} segments"
                    for modality, spec in self.encoders.items()
                },
                "videos by": ", ".join(self.video_attributes),
                "users by": ", ".join(self.user_attributes),
                "interactions": "none" if log is None else f"{len(log):,} views",
                "failures": f"{len(self.failures):,}",
            }
        )

    def __len__(self) -> int:
        return len(self.duration_s)

    def __contains__(self, video_id: str) -> bool:
        return video_id in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.video_ids.tolist())

    def __getitem__(self, video_id: str) -> VideoFeatures:
        row = self.rows.get(video_id)
        if row is None:
            raise KeyError(f"{self.path}: no video {video_id!r}")
        return self.video_at(row)

    def video_at(self, row: int) -> VideoFeatures:
        """The video in a row of ``/videos``."""
        part = slice(int(self.offset[row]), int(self.offset[row + 1]))
        videos, segments = self._file["videos"], self._file["segments"]
        thumbnails: tuple[bytes, ...] = ()
        if "thumbnails" in self._file:
            ends = self._file["thumbnails/offset"][part.start : part.stop + 1]
            data = self._file["thumbnails/data"][int(ends[0]) : int(ends[-1])].tobytes()
            thumbnails = tuple(data[a - ends[0] : b - ends[0]] for a, b in pairwise(ends))
        return VideoFeatures(
            video_id=str(self.video_ids[row]),
            duration_s=float(self.duration_s[row]),
            spans_s=segments["span_s"][part],
            features={m: self._take(m, np.arange(part.start, part.stop)) for m in self.encoders},
            valid={m: self.valid(m)[part] for m in self.encoders},
            path=text(videos["path"])[row],
            title=text(videos["title"])[row],
            status=text(videos["status"])[row],
            decoder=text(videos["decoder"])[row],
            frame_time_s=segments["frame_time_s"][part],
            segment_text=tuple(text(segments["text"])[part]),
            thumbnails=thumbnails,
            size_bytes=int(videos["size_bytes"][row]),
            mtime_ns=int(videos["mtime_ns"][row]),
            problems=text(videos["problems"])[row] if "problems" in videos else "",
            attributes={name: attribute[row] for name, attribute in self.video_attributes.items()},
            words=words.read(self._file, part.start, part.stop),
        )

    @cached_property
    def video_ids(self) -> npt.NDArray[np.object_]:
        """(V,) all ids."""
        return self._strings("videos/id")

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Where each video id stands in ``/videos``."""
        return {v: i for i, v in enumerate(self.video_ids.tolist())}

    @cached_property
    def duration_ms(self) -> dict[str, int]:
        """Length of each video in whole milliseconds, by its id."""
        return {v: round(s * 1000) for v, s in zip(self, self.duration_s.tolist(), strict=True)}

    @property
    def segment_total(self) -> int:
        """T, the number of segments of all videos."""
        return int(self.offset[-1])

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    @property
    def segment_s(self) -> float:
        """Segment length in seconds."""
        return self.header.segment_s

    @cached_property
    def spans_s(self) -> Float64:
        """Spans (T, 2) in seconds of all segments, memory-mapped."""
        return self._mapped("segments/span_s")

    @cached_property
    def paths(self) -> npt.NDArray[np.object_]:
        """(V,) paths relative to the scanned root; empty where there is no raw video."""
        return self._strings("videos/path")

    @cached_property
    def titles(self) -> npt.NDArray[np.object_]:
        """(V,) what the metadata said about each video; empty where there was none."""
        return self._strings("videos/title")

    @cached_property
    def status(self) -> npt.NDArray[np.object_]:
        """(V,) ``ok`` or ``partial``."""
        return self._strings("videos/status")

    @cached_property
    def problems(self) -> npt.NDArray[np.object_]:
        """(V,) what could not be read of each video, in words; empty where all could, or where nobody wrote it down."""
        if "videos/problems" not in self._file:
            return np.full(len(self), "", dtype=object)
        return self._strings("videos/problems")

    @cached_property
    def decoders(self) -> npt.NDArray[np.object_]:
        """(V,) decoder names; empty where nobody decoded."""
        return self._strings("videos/decoder")

    @cached_property
    def segment_text(self) -> npt.NDArray[np.object_]:
        """(T,) title and subtitles of each segment; empty where there are none."""
        return self._strings("segments/text")

    @cached_property
    def word_counts(self) -> Mapping[str, Int64]:
        """(T,) lines of each segment by the source of words; sources that were not read are absent."""
        return {kind: words.counts(self._file, kind) for kind in words.kinds(self._file)}

    @cached_property
    def source_stat(self) -> Int64:
        """(V, 2): size in bytes and mtime in ns of each source file when it was read."""
        return np.stack([self._file["videos/size_bytes"][:], self._file["videos/mtime_ns"][:]], axis=1)

    @property
    def encoders(self) -> Mapping[str, EncoderSpec]:
        """The encoder of each modality that the store has."""
        return self.header.encoders

    def features(self, modality: str) -> npt.NDArray[Any]:
        """Feature column (T, D) of a modality, memory-mapped and read-only.

        Raises
        ------
        ValueError
            If the store has no such modality.
        """
        self._check_modality(modality)
        if modality not in self._features:
            self._features[modality] = self._mapped(f"features/{modality}")
        return self._features[modality]

    def valid(self, modality: str) -> Bool:
        """(T,) False where a segment has no such material."""
        self._check_modality(modality)
        if modality not in self._valid:
            self._valid[modality] = self._file[f"valid/{modality}"][:].astype(bool)
        return self._valid[modality]

    def gather(self, modality: str, rows: npt.NDArray[Any]) -> tuple[Float32, Bool]:
        """Features of arbitrary segment rows.

        Parameters
        ----------
        modality : str
        rows : int (R,)
            Segment rows in [0, T), in any order, repeats allowed.

        Returns
        -------
        features : float32 (R, D)
            Zeros where invalid.
        valid : bool (R,)

        Raises
        ------
        ValueError
            If the store has no such modality, or a gathered feature is not finite; the message names the video.
        """
        valid = self.valid(modality)[rows]
        values = single(self._take(modality, np.asarray(rows)))
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            row = int(np.asarray(rows)[~finite][0])
            video = int(np.searchsorted(self.offset, row, side="right")) - 1
            raise ValueError(
                f"{self.path}: {modality} features of video {self.video_ids[video]!r}, segment "
                f"{row - int(self.offset[video])} are not finite; extract it again"
            )
        values[~valid] = 0.0
        return values, valid

    def to_frame(self, modality: str | None = None) -> pd.DataFrame:
        """One row a segment: columns ``video_id, segment, start_s, end_s, words``, then those of a modality.

        Parameters
        ----------
        modality : str, optional
            Its D features follow as float32 columns ``visual_0 … visual_{D-1}``, NaN where the segment has none.

        Raises
        ------
        ValueError
            If the store has no such modality.
        """
        return segment_frame(self) if modality is None else feature_frame(self, modality)

    @cached_property
    def video_attributes(self) -> Mapping[str, Attribute]:
        """Categorical attributes of the videos (V rows each) by name: author, tags, music."""
        return read_attributes(self._file, "videos")

    @cached_property
    def users(self) -> Users:
        """What is known about users besides their views; without users where there is nothing."""
        if "users" not in self._file:
            return Users()
        return Users(self._strings("users/id"), read_attributes(self._file, "users"))

    @property
    def user_attributes(self) -> Mapping[str, Attribute]:
        """Categorical attributes of ``users.ids`` by name."""
        return self.users.attributes

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The files that gave no video."""
        group = self._file["failures"]
        columns = [text(group[name])[:] for name in ("path", "code", "message")]
        numbers = [group[name][:].tolist() for name in ("size_bytes", "mtime_ns")]
        return tuple(Failure(*row) for row in zip(*columns, *numbers, strict=True))

    @cached_property
    def interactions(self) -> Interactions | None:
        """The watch log, where the store carries one."""
        if "interactions" not in self._file:
            return None
        group = self._file["interactions"]
        columns = [group[name][:] for name in ("user", "video", "time_ms", "watch_ms", "duration_ms")]
        context = {
            name: Categories(column["codes"][:], text(column["names"])[:])
            for name, column in group.get("context", {}).items()
        }
        users, videos = self._strings("interactions/user_id"), self._strings("interactions/video_id")
        return Interactions(users, videos, *columns, context=context)  # type: ignore[misc]  # five columns

    def _check_modality(self, modality: str) -> None:
        if modality not in self.encoders:
            raise ValueError(f"{self.path}: no {modality} features; it has {', '.join(self.encoders) or 'none'}")

    def _strings(self, name: str) -> npt.NDArray[np.object_]:
        return np.asarray(text(self._file[name])[:], dtype=object)

    def _take(self, modality: str, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows of a feature column, as they are stored, without reading what lies between them."""
        if modality not in self._columns:
            self._columns[modality] = self._mapped_file.column(self._file[f"features/{modality}"])
        column = self._columns[modality]
        return np.array(self.features(modality)[rows]) if column is None else column.take(rows)

    @cached_property
    def _mapped_file(self) -> MappedFile:
        return MappedFile(self.path)

    def _mapped(self, name: str) -> npt.NDArray[Any]:
        dataset = self._file[name]
        offset = dataset.id.get_offset()
        if offset is None:  # empty, or written by somebody who chunked it: right all the same, only slower
            return np.asarray(dataset[:])
        return np.memmap(self.path, dtype=dataset.dtype, mode="r", offset=offset, shape=dataset.shape)


def open_store(path: str | Path) -> FeatureStore:
    """Open a feature store for reading; see :class:`FeatureStore`."""
    return FeatureStore(path)
