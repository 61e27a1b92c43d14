"""Cells: one fit of one system, measured; a finished one is a file and is never computed again."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.whole import whole_file
from segmodel.models.base import Arrays

REVISION = 2
"""Counts up when older cells may no longer be used, because a system or a metric has changed."""


@dataclass(frozen=True)
class Cell:
    """What to fit, and on what.

    Attributes
    ----------
    system, model : str
    settings : mapping
        All that differ from the model's defaults.
    seed : int
    data : mapping
        What identifies store, log and split.
    """

    system: str
    model: str
    settings: Mapping[str, Any]
    seed: int
    data: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Tells cells apart: hexadecimal, of everything above."""
        text = json.dumps({**asdict(self), "revision": REVISION}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def file_name(self) -> str:
        """Under which its outcome lies in a folder."""
        return f"{self.system}-seed-{self.seed}-{self.fingerprint}.npz"

    def path(self, folder: Path) -> Path:
        """Where its outcome lies."""
        return folder / self.file_name


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a cell.

    Attributes
    ----------
    valid : criterion -> float
        What trials are judged by, on validation views, higher is better; empty where the fit failed.
    seconds : float
        CPU time of fitting and predicting, which other work disturbs less.
    arrays : name -> array
        What was measured or predicted; empty where the fit failed.
    failure : str
        Why it failed; empty where it did not.
    """

    valid: Mapping[str, float]
    seconds: float
    arrays: Arrays = field(default_factory=dict)
    failure: str = ""

    def write(self, cell: Cell, folder: Path) -> None:
        """Write the cell's file; it appears whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"cell": asdict(cell), "valid": dict(self.valid), "seconds": self.seconds, "failure": self.failure}
        arrays: dict[str, Any] = {**self.arrays, "facts": np.array(json.dumps(facts))}
        with whole_file(cell.path(folder)) as temporary:
            np.savez_compressed(temporary, **arrays)


def read_outcome(cell: Cell, folder: Path) -> Outcome | None:
    """The outcome of a cell if it has been computed."""
    path = cell.path(folder)
    return read_cell(path) if path.exists() else None


def read_cell(path: Path) -> Outcome:
    """The outcome in a file.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            arrays = {name: file[name] for name in file.files if name != "facts"}
            return Outcome(dict(facts["valid"]), facts["seconds"], arrays, facts["failure"])
    except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: no cell of a benchmark ({error}); delete it, and it will be computed again"
        ) from error


def best_trial(cells: Sequence[Cell], outcomes: Mapping[str, Outcome], criterion: str) -> Cell:
    """The cell that validation likes best by a criterion, given outcomes by fingerprint; the first of equal ones.

    A criterion that no trial defines leaves it at the first that did not fail.
    """

    def score(cell: Cell) -> tuple[bool, float]:
        outcome = outcomes[cell.fingerprint]
        found = outcome.valid.get(criterion, math.nan)
        return not outcome.failure, -math.inf if math.isnan(found) else found

    return max(cells, key=score)


def with_seeds(cell: Cell, seeds: int) -> list[Cell]:
    """The same cell with the seeds 0 .. ``seeds`` - 1."""
    return [replace(cell, seed=seed) for seed in range(seeds)]
