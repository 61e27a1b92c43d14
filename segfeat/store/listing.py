"""What an id index is made of: ids, numbers of segments and durations of videos, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segfeat.store.id_index import IdIndex
from segfeat.store.reader import FeatureStore
from segfeat.types import Float64, Int64


@dataclass(frozen=True, eq=False)
class Listing:
    """V videos.

    Attributes
    ----------
    ids : list of bytes
        In UTF-8.
    segments : int64 (V,)
    duration_s : float64 (V,)
    """

    ids: list[bytes]
    segments: Int64
    duration_s: Float64

    @classmethod
    def of_store(cls, path: Path) -> Listing:
        """All videos of a single file."""
        with FeatureStore(path) as store:
            ids = [i.encode("utf-8", "surrogateescape") for i in store.video_ids.tolist()]
            return cls(ids, np.diff(store.offset), store.duration_s)

    @classmethod
    def of_index(cls, index: IdIndex) -> Listing:
        """What an index was made of."""
        return cls(index.ids(0, len(index)), np.diff(index.offset), np.array(index.duration_s))

    @classmethod
    def joined(cls, listings: Sequence[Listing]) -> Listing:
        """One after another."""
        return cls(
            [i for listing in listings for i in listing.ids],
            np.concatenate([np.zeros(0, np.int64), *(listing.segments for listing in listings)]),
            np.concatenate([np.zeros(0, np.float64), *(listing.duration_s for listing in listings)]),
        )

    @property
    def offset(self) -> Int64:
        """(V + 1,) segments before each video."""
        return np.concatenate([[0], np.cumsum(self.segments)]).astype(np.int64)

    def without(self, rows: Int64) -> Listing:
        """All but some rows; those beyond the listing are no matter."""
        keep = np.ones(len(self.ids), dtype=bool)
        keep[rows[rows < len(keep)]] = False
        kept = np.flatnonzero(keep)
        return Listing([self.ids[i] for i in kept.tolist()], self.segments[kept], self.duration_s[kept])

    def digest(self) -> str:
        """SHA-256 of everything in it."""
        digest = hashlib.sha256(b"\0".join(self.ids))
        digest.update(self.segments.astype(np.int64).tobytes())
        digest.update(self.duration_s.tobytes())
        return digest.hexdigest()

    def check_distinct(self, where: Path) -> None:
        """ValueError if an id stands twice, naming it."""
        seen: set[bytes] = set()
        for video_id in self.ids:
            if video_id in seen:
                raise ValueError(f"video {video_id.decode('utf-8', 'surrogateescape')!r} would stand twice in {where}")
            seen.add(video_id)
