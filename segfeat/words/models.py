"""What recognisers share: errors for what is not installed, and hashes of weights that lie in files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def installed(source: str, extra: str, *packages: str) -> str:
    """Versions of the packages that a source needs; ``package`` is its name in the registry, with ``=module`` if other.

    Raises
    ------
    ValueError
        If one cannot be imported; says what to install.
    """
    found = []
    for package in packages:
        name, _, module = package.partition("=")
        try:
            import_module(module or name.replace("-", "_"))
        except (ImportError, OSError) as error:
            raise ValueError(
                f"{source} is not available: {error}; install it by pip install 'segfeat[{extra}]'"
            ) from error
        found.append(f"{name} {version(name)}")
    return ", ".join(found)


def hash_files(paths: Iterable[Path]) -> str:
    """A short SHA-256 over the content of files, in the given order."""
    return _hash(tuple((path, path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=8)
def _hash(files: tuple[tuple[Path, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _ in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return f"sha256:{digest.hexdigest()[:16]}"
