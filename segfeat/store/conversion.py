"""From one form of a store to the other, and from many small parts to few."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from segfeat.store.addition import PART_BYTES, add_stores
from segfeat.store.manifest import NAME, is_parted
from segfeat.store.merge import Part, merge_stores
from segfeat.store.parts import PartedStore
from segfeat.store.reader import FeatureStore


def compact(store: str | Path, out: str | Path, part_bytes: int = PART_BYTES) -> None:
    """Write a store anew: as a single file, or in parts of about ``part_bytes`` without rows that no longer count.

    Parameters
    ----------
    store : path
        In either form; it stays as it is.
    out : path
        A folder or a name without suffix: in parts. Otherwise a single file.

    Raises
    ------
    ValueError
        If ``out`` exists.
    """
    out = Path(out)
    if (out / NAME).exists() if out.is_dir() else out.exists():
        raise ValueError(f"{out} exists already; choose another name")
    if not out.parent.is_dir():
        raise ValueError(f"{out.parent}: no such folder")
    with FeatureStore(store) as opened:
        parts = [piece for part in _parts(opened) for piece in _cut(part, part_bytes if is_parted(out) else None)]
        if is_parted(out):
            add_stores(
                out,
                parts,
                header=opened.header,
                root=opened.root,
                interactions=opened.interactions,
                part_bytes=part_bytes,
            )
        else:
            merge_stores(parts, out, opened.interactions, opened.header, opened.root)


def _parts(store: FeatureStore) -> list[Part]:
    """What there is to be merged."""
    if not isinstance(store, PartedStore):
        return [Part(store.path)]
    return [Part(store.path / p.file, videos=p.videos, failures=p.failures) for p in store.manifest.parts]


def _cut(part: Part, part_bytes: int | None) -> list[Part]:
    """A large part as several, each with a share of its videos; the first has the failures."""
    if part_bytes is None or part.size_bytes <= part_bytes:
        return [part]
    with FeatureStore(part.path) as store:
        runs = part.videos if part.videos is not None else ((0, len(store)),)
        rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(a, b) for a, b in runs)])
        if not len(rows):
            return [part]
        pieces = -(-part.size_bytes // part_bytes)
        # Shares of equal numbers of segments, which are what takes room.
        reached = np.cumsum(np.diff(store.offset)[rows])
        borders = np.searchsorted(reached, reached[-1] * np.arange(1, pieces) / pieces).tolist()
    cuts = [rows[a:b] for a, b in pairwise([0, *borders, len(rows)]) if a < b]
    return [
        Part(part.path, videos=_runs(cut), failures=part.failures if k == 0 else (), share=len(cut) / len(rows))
        for k, cut in enumerate(cuts)
    ]


def _runs(rows: np.ndarray) -> tuple[tuple[int, int], ...]:
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    return tuple((int(run[0]), int(run[-1]) + 1) for run in np.split(rows, breaks) if len(run))
