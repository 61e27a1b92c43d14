"""A folder in object storage where workers without a common disk leave their shards: written once, never replaced."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from segfeat.pipeline.objects import filesystem

_THREADS = 8


@dataclass(frozen=True)
class Depot:
    """Files under an address of fsspec.

    Creation is exclusive where the storage can do that (``If-None-Match`` on S3, generations on GCS): of two writers
    of one name the second is refused, so that two drivers cannot spoil each other's work.
    """

    url: str

    def names(self) -> set[str]:
        """Of everything that is there."""
        fs, path = filesystem(self.url)
        fs.invalidate_cache()
        try:
            return {name.rpartition("/")[2] for name in fs.ls(path, detail=False)}
        except FileNotFoundError:
            return set()

    def put(self, name: str, file: Path) -> bool:
        """Create a file; False where somebody has."""
        fs, path = filesystem(f"{self.url}/{name}")
        return _created(lambda: fs.put_file(str(file), path, mode="create"))

    def put_text(self, name: str, text: str) -> bool:
        """Create a small file; False where somebody has."""
        fs, path = filesystem(f"{self.url}/{name}")
        return _created(lambda: fs.pipe_file(path, text.encode(), mode="create"))

    def text(self, name: str) -> str:
        """What a small file says."""
        fs, path = filesystem(f"{self.url}/{name}")
        return str(fs.cat_file(path).decode())

    def has(self, name: str) -> bool:
        """Whether there is a file."""
        fs, path = filesystem(f"{self.url}/{name}")
        fs.invalidate_cache()
        return bool(fs.exists(path))

    def fetch(self, names: Iterable[str], folder: Path) -> None:
        """Have files in a folder, each of them complete or not at all."""

        def one(name: str) -> None:
            fs, path = filesystem(f"{self.url}/{name}")
            with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as scratch:
                fs.get_file(path, f"{scratch}/{name}")
                (Path(scratch) / name).replace(folder / name)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(one, names))


def _created(create: Callable[[], object]) -> bool:
    try:
        create()
    except FileExistsError:
        return False
    except OSError as error:
        if getattr(error, "errno", None) is None and "PreconditionFailed" in str(error):
            return False
        raise
    return True
