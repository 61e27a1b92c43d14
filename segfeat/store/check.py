"""Whether a store is still what was written: every byte of it, against the hashes it carries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

from segfeat.store import hdf5
from segfeat.store.manifest import NAME, Manifest, read_manifest, sha256_of
from segfeat.store.parts import PartedStore
from segfeat.store.reader import FeatureStore


def check_store(path: str | Path) -> Iterator[str]:
    """What is wrong with a store, a line each; none where all is well.

    Raises
    ------
    ValueError
        If it cannot be opened at all.
    """
    path = Path(path)
    if path.is_dir():
        yield from _check_parts(path)
        return
    with FeatureStore(path) as store, h5py.File(path, "r") as file:
        try:
            found = hdf5.content_hash(file)
        except OSError as error:
            yield f"{path}: cannot be read: {error}"
            return
        if found != store.content_hash:
            yield f"{path}: its content has changed since it was written (hash {found[:12]}…)"


def left_over(folder: str | Path) -> list[str]:
    """Files of a store in parts that its manifest does not speak of.

    They are of an earlier state, which somebody may still be reading, or from an interrupted addition.
    """
    folder = Path(folder)
    known = {NAME, "lock", *(entry.file for entry in read_manifest(folder).files())}
    files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in files if name not in known)


def _check_parts(folder: Path) -> Iterator[str]:
    manifest = read_manifest(folder)
    wrong = False
    for entry in manifest.files():
        path = folder / entry.file
        if not path.is_file():
            line = "missing"
        elif path.stat().st_size != entry.size_bytes:
            line = f"{path.stat().st_size} bytes, not {entry.size_bytes}"
        elif sha256_of(path) != entry.sha256:
            line = "its content has changed since it was written"
        else:
            continue
        wrong = True
        yield f"{path}: {line}"
    if not wrong:
        yield from _check_ids(folder, manifest)


def _check_ids(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Whether the id index speaks of the videos of the parts, in their order."""
    with PartedStore(folder) as store:
        listed = iter(store)
        for entry in manifest.parts:
            with FeatureStore(folder / entry.file) as part:
                for video_id in (part.video_ids[row] for a, b in entry.videos for row in range(a, b)):
                    if (found := next(listed, None)) != video_id:
                        yield f"{folder}: the id index has {found!r} where {entry.file} has {video_id!r}"
                        return
