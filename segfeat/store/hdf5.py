"""Writing HDF5 files that appear complete or not at all, and hashing what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segfeat.store.disk import Disk

TEMPORARY_SUFFIX = ".writing"

COPY_ROWS = 65_536
"""Rows copied or hashed at a time, so that memory does not grow with the file."""

STRING = h5py.string_dtype("utf-8")


class NewFile(h5py.File):
    """An HDF5 file being written."""

    def __init__(self, raw: FileIO) -> None:
        self._disk = Disk(raw)
        # Aligned, so that memory-mapped columns are arrays as the processor likes them.
        super().__init__(self._disk, "w", libver="latest", alignment_threshold=512, alignment_interval=64)

    def check(self) -> None:
        """Raise the first OSError that writing met; to be called after every larger piece."""
        if self._disk.error is not None:
            raise self._disk.error


@contextmanager
def new_file(path: str | Path) -> Iterator[NewFile]:
    """A file that appears under ``path`` only when the block ends well.

    The temporary name carries host, process and thread: two of them may write one shard at once, the last one wins.

    Raises
    ------
    OSError
        If the file cannot be written, as on a full disk; nothing is left behind then.
    """
    target = Path(path)
    writer = f"{socket.gethostname()}-{os.getpid()}-{threading.get_native_id()}"
    temporary = target.with_name(f"{target.name}.{writer}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("wb+", buffering=0) as raw:
            with NewFile(raw) as file:
                yield file
            file.check()
            os.fsync(raw.fileno())
        os.replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        error.filename = error.filename or str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a loss of power, where the system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems know no such thing; the file itself is safe
        return
    finally:
        os.close(handle)


def create(file: NewFile, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """An empty, contiguous, uncompressed dataset; object arrays are strings."""
    file.check()
    string = dtype == STRING or np.dtype(dtype) == np.dtype(object)
    return file.create_dataset(name, shape=shape, dtype=STRING if string else dtype)


def strings(values: Iterable[str]) -> npt.NDArray[np.object_]:
    """Strings as HDF5 takes them: UTF-8, in which bytes of names that are none stand as ``\\xff``.

    A text that looks like such a byte has its backslash written as ``\\x5c``. NUL cannot be stored and is replaced.
    """
    return np.array(
        [escaped(v.replace("\0", "\ufffd").encode("utf-8", "surrogateescape")) for v in values], dtype=object
    )


def escaped(name: bytes) -> bytes:
    """A name as UTF-8; see `strings`."""
    if name.isascii() and b"\\x" not in name:
        return name
    apart = _LOOKS_ESCAPED.sub(rb"\\x5c", name)
    return apart.decode("utf-8", "backslashreplace").encode()


def valid(name: bytes) -> bytes:
    """A stored string as it is, or escaped where it is no UTF-8."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return escaped(name)
    return name


def as_written(text: str) -> str:
    """What was escaped, with bytes that are no UTF-8 as Python spells them."""
    if "\\x" not in text:
        return text
    return _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]).decode("utf-8", "surrogateescape"), text)


_LOOKS_ESCAPED = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")
_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f]|5c)")


class Text:
    """A string dataset to be indexed for ``str``; file names that are no UTF-8 come back as Python spells them."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        # Stores of earlier versions hold such names as they are.
        self._plain = dataset.asstr("utf-8", "surrogateescape")

    def __getitem__(self, key: Any) -> Any:
        found = self._plain[key]
        if isinstance(found, str):
            return as_written(found)
        return np.array([as_written(text) for text in found.ravel()], dtype=object).reshape(found.shape)


def text(dataset: h5py.Dataset) -> Text:
    """See `Text`."""
    return Text(dataset)


def content_hash(file: h5py.File) -> str:
    """SHA-256 over names, shapes, attributes and values of all datasets, in name order."""
    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    digest = hashlib.sha256()
    digest.update(f"{file.attrs['segment_s']} {file.attrs['parameters']}".encode())
    for name in sorted(names):
        dataset = file[name]
        attributes = {k: str(v) for k, v in dataset.attrs.items()}
        digest.update(f"{name} {dataset.dtype.str} {dataset.shape} {json.dumps(attributes, sort_keys=True)}".encode())
        rows = COPY_ROWS * 64 if dataset.ndim == 1 and dataset.dtype.itemsize == 1 else COPY_ROWS
        for start in range(0, dataset.shape[0], rows):
            block = dataset[start : start + rows]
            digest.update(
                b"".join(text + b"\0" for text in block.tolist())
                if block.dtype == object
                else np.ascontiguousarray(block).tobytes()
            )
    return digest.hexdigest()
