"""Ready embeddings of a platform's own encoders as the features of a store that exists already."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segfeat.importers.embeddings import Block, Embeddings, open_embeddings
from segfeat.store.columns import add_columns
from segfeat.store.reader import FeatureStore
from segfeat.types import MODALITIES, PER_VIDEO, Bool, EncoderSpec, Int64, Modality


@dataclass(frozen=True)
class FeaturesSummary:
    """What became of a file of embeddings.

    Attributes
    ----------
    encoder : EncoderSpec
        Of the new column.
    vectors, used : int
        In the file, and those of them that the store has now.
    dropped : mapping of reason to int
        The others.
    segments, segments_with : int
        Of the store, and those with a vector.
    videos, videos_with : int
        Of the store, and those with a vector for every segment.
    """

    encoder: EncoderSpec
    vectors: int
    used: int
    dropped: Mapping[str, int]
    segments: int
    segments_with: int
    videos: int
    videos_with: int


def import_features(
    store: str | Path, files: Mapping[Modality, str | Path], overwrite: bool = False
) -> dict[Modality, FeaturesSummary]:
    """Add ready embeddings to a store; see `segfeat.importers.embeddings` for the files.

    A vector of a whole video stands for each of its segments, and the encoder's specification says so. Vectors that
    cannot be used are counted by reason; segments without one have no such material.

    Parameters
    ----------
    store : path
        In either form; written anew at one stroke.
    files : mapping of modality to path
    overwrite : bool
        Replace features of a modality that the store has already.

    Raises
    ------
    ValueError
        If there is no such store, it has features of the modality already, a file cannot be read, or no vector of a
        file could be used; the store is as it was.
    """
    path = Path(store)
    unknown = [modality for modality in files if modality not in MODALITIES]
    if unknown or not files:
        raise ValueError(f"no such modality: {', '.join(unknown) or 'none given'}; valid are {', '.join(MODALITIES)}")
    with FeatureStore(path) as opened, tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder:
        if had := [f"{m} ({opened.encoders[m].name})" for m in files if m in opened.encoders and not overwrite]:
            raise ValueError(f"{path} has features already: {', '.join(had)}; replace them with --overwrite")
        if not opened.segment_total:
            raise ValueError(f"{path}: none of its {len(opened):,} videos has segments")
        columns = {
            modality: _Collected(open_embeddings(file), modality, opened, Path(folder))
            for modality, file in files.items()
        }
        add_columns(path, columns)
    return {modality: column.summary for modality, column in columns.items()}


class _Collected:
    """The vectors of a file in the order of a store's segments, on disk.

    Attributes
    ----------
    spec : EncoderSpec
    summary : FeaturesSummary
    """

    def __init__(self, given: Embeddings, modality: Modality, store: FeatureStore, folder: Path) -> None:
        kind = "video" if given.per_video else "segment"
        delivered = f"as delivered, one vector a {kind}"
        self.spec = EncoderSpec(
            name=f"ready:{given.path.name}",
            modality=modality,
            dim=given.dim,
            model="not known here: features were delivered ready-made",
            weights=f"{given.path.name}, {given.count} vectors of {given.dtype}; sha256:{given.sha256()}",
            pooling=f"{PER_VIDEO}: {delivered}" if given.per_video else delivered,
        )
        self._store = store
        total = store.segment_total
        self._values = np.memmap(folder / modality, np.float16, "w+", shape=(total, given.dim))
        self._valid = np.zeros(total, dtype=bool)
        dropped: Counter[str] = Counter()
        used = 0
        example = ""
        for block in given.blocks():
            used += self._put(block, dropped)
            example = example or next((v for v in block.ids.tolist() if v), "")
        if not used:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in dropped.items())
            raise ValueError(
                f"{given.path}: none of its {given.count:,} vectors could be used: {reasons}; its ids look like "
                f"{example!r}, the store's like {next(iter(store))!r}"
            )
        there = np.concatenate([[0], np.cumsum(self._valid)])[store.offset]
        sizes = np.diff(store.offset)
        self.summary = FeaturesSummary(
            self.spec,
            given.count,
            used,
            dict(dropped),
            total,
            int(self._valid.sum()),
            len(store),
            int(((np.diff(there) == sizes) & (sizes > 0)).sum()),
        )

    def segments(self, video_id: str, count: int) -> tuple[npt.NDArray[np.float16], Bool]:
        """Features (count, D) of a video and (count,) where there are any; none of one that no longer counts."""
        row = self._store.rows.get(video_id)
        if row is None or count != self._store.offset[row + 1] - self._store.offset[row]:
            return np.zeros((count, self.spec.dim), np.float16), np.zeros(count, bool)
        rows = slice(int(self._store.offset[row]), int(self._store.offset[row + 1]))
        return np.asarray(self._values[rows]), self._valid[rows]

    def _put(self, block: Block, dropped: Counter[str]) -> int:
        """Put vectors at their places, count those that have none; how many were put."""
        with np.errstate(over="ignore"):
            half = block.vectors.astype(np.float16)
        missing = np.array([v is None for v in block.ids.tolist()], dtype=bool)
        video: Int64 = np.array([-1 if v is None else self._store.rows.get(v, -1) for v in block.ids.tolist()])
        offset = self._store.offset
        first = np.where(video >= 0, offset[video], 0)
        sizes = np.where(video >= 0, offset[np.maximum(video, 0) + 1] - first, 0)
        segment = np.zeros(len(video), np.int64) if block.segment is None else block.segment
        rows = first + segment
        left = np.ones(len(video), dtype=bool)
        for reason, wrong in (
            ("missing id", missing),
            ("unknown video", video < 0),
            ("video of unknown length", sizes == 0),
            ("beyond the video's last segment", segment >= sizes),
            ("no number of a segment", segment < 0),
            ("not finite in half precision", ~np.isfinite(half).all(axis=1)),
        ):
            _count(dropped, reason, left & wrong)
            left &= ~wrong
        again = np.ones(len(video), dtype=bool)
        places = np.flatnonzero(left)
        again[places[np.unique(rows[places], return_index=True)[1]]] = False
        again |= self._valid[np.where(left, rows, 0)]
        _count(dropped, "repeated", left & again)
        left &= ~again
        repeats = sizes[left] if block.segment is None else np.ones(int(left.sum()), np.int64)
        starts = np.cumsum(repeats) - repeats
        targets = np.repeat(rows[left] - starts, repeats) + np.arange(int(repeats.sum()))
        self._values[targets] = np.repeat(half[left], repeats, axis=0)
        self._valid[targets] = True
        return int(left.sum())


def _count(dropped: Counter[str], reason: str, rows: Bool) -> None:
    if rows.any():
        dropped[reason] += int(rows.sum())
