"""The folder of an extraction in progress, beside the store: finished shards, who works on it, and how far it is."""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import socket
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from segfeat.store.hdf5 import TEMPORARY_SUFFIX
from segfeat.types import EncoderSpec, StoreHeader
from segfeat.whole import write_json

FOLDER_SUFFIX = ".shards"

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


def job_folder(out: Path) -> Path:
    """Where the shards of a store are kept until it is finished."""
    return out.with_name(out.name + FOLDER_SUFFIX)


class Job:
    """Exclusive use of a store's folder of shards; a context manager.

    Parameters
    ----------
    out : path
        The store to be.
    header : StoreHeader
        Of this extraction.
    replaces : str or None
        With ``--overwrite`` the content hash of the store to be replaced (empty where there is none), so that the same
        command, after an interruption, goes on instead of starting anew again. None: the store is added to.

    Raises
    ------
    ValueError
        If another process is extracting into this store, or an interrupted extraction had other settings.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, out: Path, header: StoreHeader, replaces: str | None) -> None:
        self.folder = job_folder(out)
        self.folder.mkdir(exist_ok=True)
        self._lock = _locked(self.folder / "lock", out)
        try:
            self._enter(out, header, replaces)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.folder.exists() and not self._shards():
            self.finish()  # nothing that anybody could go on from
        self._lock.close()

    def _enter(self, out: Path, header: StoreHeader, replaces: str | None) -> None:
        about = {"header": asdict(header), "replaces": replaces}
        known = _read(self.folder / "job.json")
        if not self._shards():
            known = None
        if known is not None and replaces is None:
            if lines := _header(known).differences(header):
                raise ValueError(
                    f"an interrupted extraction of {out} had other settings (its own against yours): {'; '.join(lines)}"
                    "; finish it with those, or start anew with --overwrite"
                )
        elif known is not None and known != json.loads(json.dumps(about)):
            self._empty()
        for path in self.folder.glob(f"*.{socket.gethostname()}-*{TEMPORARY_SUFFIX}"):
            path.unlink(missing_ok=True)  # of a process that was killed: nobody else works here while we hold the lock
        if known is None or replaces is not None:
            write_json(self.folder / "job.json", about)

    def finish(self) -> None:
        """Remove the folder: everything in it is in the store."""
        shutil.rmtree(self.folder)

    def _shards(self) -> list[Path]:
        return list(self.folder.glob("shard-*.h5"))

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()


def read_progress(out: Path) -> tuple[dict[str, Any] | None, bool]:
    """What an extraction last said about itself, None where there is none; and whether it is running."""
    folder = job_folder(out)
    if not folder.is_dir():
        return None, False
    try:
        _locked(folder / "lock", out).close()
        running = False
    except ValueError:
        running = True
    return _read(folder / "progress.json") or {}, running


def _locked(path: Path, out: Path) -> Any:
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return handle  # a file system without locks: the user has to know
        handle.close()
        raise ValueError(f"another process is extracting into {out}") from error
    return handle


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content


def _header(about: dict[str, Any]) -> StoreHeader:
    header = about["header"]
    encoders = {modality: EncoderSpec(**spec) for modality, spec in header["encoders"].items()}
    return StoreHeader(header["segment_s"], header["parameters"], encoders)
