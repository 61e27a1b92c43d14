"""What belongs to a store in parts: ``manifest.json``, the one file of its folder that is ever replaced.

::

    feats/
      manifest.json                what the store consists of, in order
      part-<hash>.h5               complete stores of 1 to 4 GB, written once
      ids-<hash>.h5                where each video id stands (:mod:`segfeat.store.id_index`), written once
      log-<hash>/*.parquet         the watch log (:mod:`segfeat.store.log_files`), written once

Every other file carries a hash of its content in its name and is complete before a manifest speaks of it, and the
manifest is replaced by a rename: a reader sees the old store or the new one, never a mixture. Rows of a part that a
later part supersedes (a video whose file has changed, a failure that was tried again) stay in their file; the manifest
lists the runs of rows that count.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segfeat.store.hdf5 import sync_folder
from segfeat.types import EncoderSpec, StoreHeader
from segfeat.whole import whole_file

NAME = "manifest.json"

MANIFEST_VERSION = 1

Runs = tuple[tuple[int, int], ...]
"""Half-open ranges of rows, ascending."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class PartEntry:
    """A part of the store.

    Attributes
    ----------
    file : str
        Name in the folder.
    size_bytes : int
    sha256 : str
        Of the file's bytes.
    content_hash : str
        The one that the part carries as a store.
    videos, segments, failures : runs
        The rows of each table that count.
    """

    file: str
    size_bytes: int
    sha256: str
    content_hash: str
    videos: Runs
    segments: Runs
    failures: Runs


@dataclass(frozen=True)
class FileEntry:
    """Any other file of the store: its name in the folder, and what is in it; ``rows`` as its kind counts them."""

    file: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """A store in parts, as one file describes it.

    Attributes
    ----------
    header : StoreHeader
        Of every part.
    format_version : int
        The newest store format among the parts.
    root : str
        The folder that paths of videos are relative to.
    parts : tuple of PartEntry
        In the order of their videos.
    ids : tuple of FileEntry
        The id indexes, each of the next ``rows`` videos.
    log : tuple of FileEntry
        Files of the watch log; empty where there is none.
    log_hash : str
        Its fingerprint; empty where there is none.
    """

    header: StoreHeader
    format_version: int = 1
    root: str = ""
    parts: tuple[PartEntry, ...] = ()
    ids: tuple[FileEntry, ...] = ()
    log: tuple[FileEntry, ...] = ()
    log_hash: str = ""

    @property
    def content_hash(self) -> str:
        """SHA-256 over header, parts and log: equal hashes mean equal content.

        Equal content in other parts has another hash: what is compared are parts, not their bytes joined.
        """
        parts = [(p.content_hash, p.videos, p.segments, p.failures) for p in self.parts]
        return hashlib.sha256(
            json.dumps([asdict(self.header), parts, self.log_hash], sort_keys=True).encode()
        ).hexdigest()

    def files(self) -> Iterator[PartEntry | FileEntry]:
        """Every file that the manifest speaks of."""
        yield from self.parts
        yield from self.ids
        yield from self.log

    def count(self, table: str) -> int:
        """Rows that count of a table: ``videos``, ``segments`` or ``failures``."""
        return sum(stop - start for part in self.parts for start, stop in getattr(part, table))


def is_parted(path: str | Path) -> bool:
    """Whether a name of a store to be written asks for one in parts: a folder, or a name without a suffix."""
    path = Path(path)
    return path.is_dir() or not path.suffix


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store in parts.

    Raises
    ------
    ValueError
        If the folder holds none, or one that is damaged or newer than this program.
    """
    path = folder / NAME
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no such store (a folder without {NAME})") from error
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    try:
        if raw["format"] != "segfeat parts":
            raise ValueError(f"{path}: not the manifest of a segfeat store")
        if raw["manifest_version"] > MANIFEST_VERSION:
            raise ValueError(
                f"{path}: manifest version {raw['manifest_version']}, but this segfeat reads up to {MANIFEST_VERSION}: "
                "upgrade segfeat"
            )
        header = raw["header"]
        return Manifest(
            StoreHeader(
                float(header["segment_s"]),
                header["parameters"],
                {modality: EncoderSpec(**spec) for modality, spec in header["encoders"].items()},
            ),
            int(raw["format_version"]),
            raw["root"],
            tuple(PartEntry(**{k: _runs(v) for k, v in part.items()}) for part in raw["parts"]),
            tuple(FileEntry(**entry) for entry in raw["ids"]),
            tuple(FileEntry(**entry) for entry in raw["log"]),
            raw["log_hash"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a complete manifest: {error}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one that is there, at one stroke."""
    content = {"format": "segfeat parts", "manifest_version": MANIFEST_VERSION, **asdict(manifest)}
    content["content_hash"] = manifest.content_hash
    with whole_file(folder / NAME) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """One process at a time adds to a store; readers are not kept out.

    Raises
    ------
    ValueError
        If another process is adding.
    """
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{folder}: another process is adding to this store") from error
        except OSError as error:  # a file system without locks
            if error.errno not in _NO_LOCKS:
                raise
        yield


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return _file_digest(file)


def described(folder: Path, path: Path, rows: int) -> FileEntry:
    """The entry of a finished file."""
    return FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, sha256_of(path), rows)


def without_rows(runs: Sequence[tuple[int, int]], gone: Sequence[int]) -> Runs:
    """Runs without some single rows, ascending."""
    left: list[tuple[int, int]] = []
    rows = iter([*gone, -1])
    row = next(rows)
    for start, stop in runs:
        while 0 <= row < start:
            row = next(rows)
        while start <= row < stop:
            if start < row:
                left.append((start, row))
            start, row = row + 1, next(rows)
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def _file_digest(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 22):
        digest.update(block)
    return digest.hexdigest()


def _runs(value: Any) -> Any:
    return tuple((int(a), int(b)) for a, b in value) if isinstance(value, list) else value
