"""Files and folders that appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path with the same suffix, which takes the place of ``path`` when the block ends well."""
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.writing{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder, which takes the place of ``path`` and of what was there when the block ends well."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        temporary.mkdir()
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def write_state(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write what a model learned as ``facts.json`` and ``weights.safetensors`` into a folder."""
    from safetensors.numpy import save

    (folder / "facts.json").write_text(json.dumps(dict(facts)))
    # As bytes: the library's own file has the permissions of a private temporary file, whatever the umask.
    (folder / "weights.safetensors").write_bytes(save({k: v.copy(order="C") for k, v in arrays.items()}))


def read_state(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What :func:`write_state` wrote.

    Raises
    ------
    ValueError
        If a file is missing, cut off or no such file; the message names it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    facts, weights = folder / "facts.json", folder / "weights.safetensors"
    try:
        found = json.loads(facts.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{facts}: cannot be read: {error}") from error
    try:
        return found, load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{weights}: cut off or no weights file ({error}); copy it again, or train anew") from error
