"""Adding to a store in parts: new parts beside the old ones, of which no byte is written again."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.id_index import IdIndex, VideoRows, write_index
from segfeat.store.listing import Listing
from segfeat.store.log_files import write_log
from segfeat.store.manifest import (
    NAME,
    FileEntry,
    Manifest,
    PartEntry,
    described,
    read_manifest,
    sha256_of,
    sole_writer,
    without_rows,
    write_manifest,
)
from segfeat.store.merge import Part, merge_stores
from segfeat.store.reader import FeatureStore
from segfeat.types import StoreHeader

PART_BYTES = 2_000_000_000
"""About how large parts become: few enough for a large store's files to be open together, each hashed in seconds."""

_INDEX_GROWTH = 2
"""An id index is written again together with new ones until it is this many times larger than they are."""


def add_stores(
    folder: str | Path,
    stores: Sequence[str | Path | Part],
    *,
    header: StoreHeader | None = None,
    root: str = "",
    interactions: Interactions | None = None,
    superseded: Collection[str] = (),
    part_bytes: int = PART_BYTES,
    anew: bool = False,
) -> None:
    """Add complete stores, such as shards, to a store in parts; it is made where there is none.

    Readers that have it open go on with what they opened. Interrupted at any moment, the store is the old one or the
    new one; files that no manifest speaks of may be left behind, and ``segfeat check`` names them.

    Parameters
    ----------
    folder : path
        Of the store in parts.
    stores : sequence of paths or parts
        In the order in which their videos shall stand, after those that are there; put together to parts of about
        ``part_bytes``.
    header : StoreHeader, optional
        Needed where there is nothing else to tell it.
    root : str
        The folder that the new paths are relative to.
    interactions : Interactions, optional
        Replaces the watch log; None leaves it as it is.
    superseded : collection of str
        Paths of which what the store has so far no longer counts, videos and failures.
    anew : bool
        Nothing that the store has so far counts any longer.

    Raises
    ------
    ValueError
        If headers differ, a video id would stand twice, or another process is adding to this store.
    OSError
        If the disk is full or the folder cannot be written; the store is as it was.
    """
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    with sole_writer(folder):
        known = read_manifest(folder) if (folder / NAME).exists() and not anew else None
        new = [_written(folder, group, header, root) for group in _groups(stores, part_bytes)]
        header = known.header if known else header or (new[0][1] if new else None)
        if header is None:
            raise ValueError(f"{folder}: nothing to add and no header given")
        manifest = known or Manifest(header)
        for entry, its_header, _ in new:
            if lines := header.differences(its_header):
                raise ValueError(f"{entry.file} cannot join {folder}: {'; '.join(lines)}")
        manifest, gone = _superseded(folder, manifest, frozenset(superseded))
        manifest = replace(
            manifest,
            ids=_indexed(folder, manifest.ids, gone, [folder / entry.file for entry, _, _ in new]),
            parts=(*manifest.parts, *(entry for entry, _, _ in new)),
            format_version=max([manifest.format_version, *(version for _, _, version in new)]),
            root=root or manifest.root,
        )
        if interactions is not None:
            manifest = replace(manifest, log=write_log(folder, interactions), log_hash=interactions.fingerprint())
        write_manifest(folder, manifest)


def _groups(stores: Sequence[str | Path | Part], part_bytes: int) -> list[list[Part]]:
    """Stores that become a part together."""
    groups: list[list[Part]] = []
    size = 0
    for store in stores:
        part = store if isinstance(store, Part) else Part(store)
        bytes_ = part.size_bytes
        if not groups or size + bytes_ > part_bytes:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += bytes_
    return groups


def _written(
    folder: Path, group: Sequence[Part], header: StoreHeader | None, root: str
) -> tuple[PartEntry, StoreHeader, int]:
    """One part, under the name of its content."""
    merging = folder / f"part-{os.getpid()}.h5.writing"
    try:
        merge_stores(group, merging, header=header, root=root)
        with FeatureStore(merging) as store:
            path = folder / f"part-{store.content_hash[:24]}.h5"
            os.replace(merging, path)
            entry = PartEntry(
                path.name,
                path.stat().st_size,
                sha256_of(path),
                store.content_hash,
                ((0, len(store)),) if len(store) else (),
                ((0, store.segment_total),) if len(store) else (),
                ((0, len(store.failures)),) if store.failures else (),
            )
            return entry, store.header, store.format_version
    finally:
        merging.unlink(missing_ok=True)


def _superseded(folder: Path, manifest: Manifest, paths: frozenset[str]) -> tuple[Manifest, list[int]]:
    """The manifest without the rows of some paths, and where the videos among them stood."""
    if not paths:
        return manifest, []
    parts, gone = [], []
    start = 0
    for entry in manifest.parts:
        with FeatureStore(folder / entry.file) as store:
            rows = [row for a, b in entry.videos for row in range(a, b)]
            lost = [row for row in rows if store.paths[row] in paths]
            gone += [start + i for i, row in enumerate(rows) if store.paths[row] in paths]
            videos = without_rows(entry.videos, lost)
            failed = [i for i, failure in enumerate(store.failures) if failure.path in paths]
            parts.append(
                replace(
                    entry,
                    videos=videos,
                    segments=tuple((int(store.offset[a]), int(store.offset[b])) for a, b in videos),
                    failures=without_rows(entry.failures, failed),
                )
            )
        start += len(rows)
    return replace(manifest, parts=tuple(parts)), gone


def _indexed(
    folder: Path, entries: tuple[FileEntry, ...], gone: Sequence[int], new: Sequence[Path]
) -> tuple[FileEntry, ...]:
    """Indexes of the old videos that are left and of the new ones.

    The newest old indexes are written again together with the new one until those before are much larger: so there
    are few of them, and each id is written a few times at most, however many additions there are.
    """
    if not new and not gone:
        return entries
    coming = Listing.joined([Listing.of_store(path) for path in new])
    starts = np.concatenate([[0], np.cumsum([e.rows for e in entries])]).astype(np.int64)
    keep = len(entries)
    if gone:
        keep = int(np.searchsorted(starts, min(gone), side="right")) - 1
    while keep and entries[keep - 1].rows < _INDEX_GROWTH * (len(coming.ids) + int(starts[-1] - starts[keep])):
        keep -= 1
    lost = np.array(gone, dtype=np.int64)
    again = [
        Listing.of_index(IdIndex(folder / entry.file)).without(lost[lost >= start] - start)
        for entry, start in zip(entries[keep:], starts[keep:].tolist(), strict=False)
    ]
    listing = Listing.joined([*again, coming])
    listing.check_distinct(folder)
    before = VideoRows([IdIndex(folder / entry.file) for entry in entries[:keep]])
    for video_id in coming.ids:
        if (text := video_id.decode("utf-8", "surrogateescape")) in before:
            raise ValueError(f"video {text!r} stands in {folder} already")
    if not listing.ids:
        return entries[:keep]
    path = folder / f"ids-{listing.digest()[:24]}.h5"
    write_index(path, listing.ids, listing.offset, listing.duration_s)
    return (*entries[:keep], described(folder, path, len(listing.ids)))
