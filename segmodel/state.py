"""What a model learned, as two files that hold no code: ``facts.json`` and ``weights.safetensors``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

WEIGHTS = "weights.safetensors"


def write_state(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write what a model learned as ``facts.json`` and ``weights.safetensors`` into a folder."""
    (folder / "facts.json").write_text(json.dumps(dict(facts)))
    write_arrays(folder / WEIGHTS, arrays)


def read_state(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What :func:`write_state` wrote.

    Raises
    ------
    ValueError
        If a file is missing, cut off or no such file; the message names it.
    """
    facts = folder / "facts.json"
    try:
        found = json.loads(facts.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{facts}: cannot be read: {error}") from error
    return found, read_arrays(folder / WEIGHTS)


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays as a safetensors file."""
    from safetensors.numpy import save

    # As bytes: the library's own file has the permissions of a private temporary file, whatever the umask.
    path.write_bytes(save({k: v.copy(order="C") for k, v in arrays.items()}))


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """What :func:`write_arrays` wrote; errors as :func:`read_state`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path}: cut off or no weights file ({error}); copy it again, or train anew") from error
