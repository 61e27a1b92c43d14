"""Where each video id of a store in parts stands: a hash index in an HDF5 file, memory-mapped.

V videos, B buckets. Every dataset is contiguous and uncompressed.

=================  ==========  ===========================================================================
``text``           u8          the ids in UTF-8, one after another
``text_end``       i64 (V+1)   id v is ``text[text_end[v]:text_end[v + 1]]``
``hash``           u64 (V,)    first eight bytes (little endian) of each id's BLAKE2b of eight bytes, ascending
``row``            i64 (V,)    the video of each hash
``bucket``         i64 (B+1)   hashes whose highest bits are b stand at ``bucket[b] .. bucket[b+1]-1``
``offset``         i64 (V+1)   segments of the video, counted from the first video of this index
``duration_s``     f64 (V,)
=================  ==========  ===========================================================================

About 55 bytes a video on disk; looking an id up touches one page of ``bucket``, one of ``hash`` and those of the id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.store import hdf5
from segfeat.types import Float64, Int64

_BUCKET_IDS = 4
"""Ids a bucket, about: few enough to look at one by one, enough for the buckets to be small beside the hashes."""

_COLUMNS = ("text", "text_end", "hash", "row", "bucket", "offset", "duration_s")


class IdIndex:
    """An index file, mapped.

    Attributes
    ----------
    offset : int64 (V + 1,)
    duration_s : float64 (V,)
    """

    def __init__(self, path: Path) -> None:
        self._columns: dict[str, npt.NDArray[Any]] = {}
        with h5py.File(path, "r") as file:
            for name in _COLUMNS:
                dataset = file[name]
                at = dataset.id.get_offset()
                self._columns[name] = (
                    np.zeros(dataset.shape, dataset.dtype)
                    if at is None
                    else np.asarray(np.memmap(path, dataset.dtype, "r", at, dataset.shape))
                )
        self.offset: Int64 = self._columns["offset"]
        self.duration_s: Float64 = self._columns["duration_s"]
        self._text, self._end = self._columns["text"], self._columns["text_end"]
        self._hash, self._row, self._bucket = (self._columns[n] for n in ("hash", "row", "bucket"))
        self._shift = np.uint64(64 - (len(self._bucket) - 1).bit_length() + 1)

    def __len__(self) -> int:
        return len(self._row)

    def id_bytes(self, row: int) -> bytes:
        """The id of a video, encoded."""
        return self._text[self._end[row] : self._end[row + 1]].tobytes()

    def ids(self, start: int, stop: int) -> list[bytes]:
        """The ids of a range of videos, encoded."""
        ends = self._end[start : stop + 1]
        text = self._text[ends[0] : ends[-1]].tobytes()
        ends = (ends - ends[0]).tolist()
        return [text[a:b] for a, b in pairwise(ends)]

    def find(self, encoded: bytes) -> int:
        """The row of an id, -1 where it is not here."""
        if not len(self):
            return -1
        key = np.uint64(_hash(encoded))
        bucket = int(key >> self._shift)
        start, stop = int(self._bucket[bucket]), int(self._bucket[bucket + 1])
        for place in np.flatnonzero(self._hash[start:stop] == key).tolist():
            row = int(self._row[start + place])
            if self.id_bytes(row) == encoded:
                return row
        return -1


def write_index(path: Path, ids: Sequence[bytes], offset: Int64, duration_s: Float64) -> None:
    """Write the index of V videos.

    Parameters
    ----------
    ids : sequence of bytes
        Encoded as UTF-8; distinct.
    offset : int64 (V + 1,)
        From 0.
    duration_s : float64 (V,)
    """
    keys = np.fromiter((_hash(i) for i in ids), np.uint64, len(ids))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    bits = max(1, (len(ids) // _BUCKET_IDS).bit_length())
    borders = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    bucket = np.concatenate([[0], np.searchsorted(keys, borders), [len(ids)]]).astype(np.int64)
    columns: dict[str, npt.NDArray[Any]] = {
        "text": np.frombuffer(b"".join(ids), np.uint8),
        "text_end": np.concatenate([[0], np.cumsum(np.fromiter(map(len, ids), np.int64, len(ids)))]).astype(np.int64),
        "hash": keys,
        "row": order.astype(np.int64),
        "bucket": bucket,
        "offset": offset.astype(np.int64),
        "duration_s": duration_s.astype(np.float64),
    }
    with hdf5.new_file(path) as file:
        for name, values in columns.items():
            hdf5.create(file, name, values.shape, values.dtype)[...] = values


class VideoRows(Mapping[str, int]):
    """Where each id stands among the videos of several indexes, one after another; a mapping as a dict would be."""

    def __init__(self, indexes: Sequence[IdIndex]) -> None:
        self._indexes = indexes
        self._starts = np.concatenate([[0], np.cumsum([len(i) for i in indexes])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __iter__(self) -> Iterator[str]:
        for index in self._indexes:
            for start in range(0, len(index), hdf5.COPY_ROWS):
                for encoded in index.ids(start, min(start + hdf5.COPY_ROWS, len(index))):
                    yield encoded.decode("utf-8", "surrogateescape")

    def __contains__(self, video_id: object) -> bool:
        return isinstance(video_id, str) and self._find(video_id) >= 0

    def __getitem__(self, video_id: str) -> int:
        row = self._find(video_id)
        if row < 0:
            raise KeyError(video_id)
        return row

    def id_at(self, row: int) -> str:
        """The id in a row."""
        k = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._indexes[k].id_bytes(row - int(self._starts[k])).decode("utf-8", "surrogateescape")

    def _find(self, video_id: str) -> int:
        encoded = video_id.encode("utf-8", "surrogateescape")
        for start, index in zip(self._starts.tolist(), self._indexes, strict=False):
            if (row := index.find(encoded)) >= 0:
                return start + row
        return -1


def _hash(encoded: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")
