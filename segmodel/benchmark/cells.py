"""Cells: one fit of one system, measured; a finished one is a file and is never computed again."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from segmodel.view_metrics import ViewMetrics

REVISION = 1
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

    def path(self, folder: Path) -> Path:
        """Where its outcome lies."""
        return folder / f"{self.system}-seed-{self.seed}-{self.fingerprint}.npz"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a cell.

    Attributes
    ----------
    valid : float
        The score that trials are judged by, higher is better; -inf where the fit failed.
    seconds : float
        Fitting and predicting.
    metrics : ViewMetrics or None
        Of the test views; None where the fit failed.
    failure : str
        Why it failed.
    """

    valid: float
    seconds: float
    metrics: ViewMetrics | None = None
    failure: str = ""

    def write(self, cell: Cell, folder: Path) -> None:
        """Write the cell's file; it appears whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"cell": asdict(cell), "valid": self.valid, "seconds": self.seconds, "failure": self.failure}
        arrays = {f.name: getattr(self.metrics, f.name) for f in fields(ViewMetrics)} if self.metrics else {}
        path = cell.path(folder)
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.writing")
        with temporary.open("wb") as file:
            np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)
        os.replace(temporary, path)


def read_outcome(cell: Cell, folder: Path) -> Outcome | None:
    """The outcome of a cell if it has been computed."""
    path = cell.path(folder)
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            arrays = {name: file[name] for name in file.files if name != "facts"}
            return Outcome(
                facts["valid"], facts["seconds"], ViewMetrics(**arrays) if arrays else None, facts["failure"]
            )
    except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: no cell of a benchmark ({error}); delete it, and it will be computed again"
        ) from error
