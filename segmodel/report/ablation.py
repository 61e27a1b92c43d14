"""What `segmodel ablate` found out, where there is something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segmodel.comparison import Comparison, Figure
from segmodel.runs import Run

COMPARISON_FILE = "comparison.json"
"""What `segmodel ablate` writes for each model."""

DEFAULT_FOLDER = "ablations"
"""Where it writes by default: beside ``runs``."""


def find_ablations(run: Run, path: Path | None) -> dict[str, Comparison]:
    """Model -> its comparison, the run's own kind first.

    Parameters
    ----------
    run : Run
    path : path, optional
        A ``comparison.json``, its folder, or the folder of such folders that `segmodel ablate -o` made. Default: the
        one beside the run's folder; what was made there from another log than the run's is left out.

    Raises
    ------
    ValueError
        If a given path holds no comparison, or a file is none.
    """
    if path is None:
        beside = run.folder.resolve().parent.parent / DEFAULT_FOLDER
        files = [file for file in _files(beside) if _same_log(file.parent, run)]
    elif not (files := _files(path)):
        raise ValueError(f"{path}: no {COMPARISON_FILE} of `segmodel ablate` here or one folder below")
    own = run.config.model
    return {f.parent.name: _read(f) for f in sorted(files, key=lambda f: (f.parent.name != own, f.parent.name))}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    direct = path / COMPARISON_FILE
    return [direct] if direct.is_file() else list(path.glob(f"*/{COMPARISON_FILE}"))


def _same_log(folder: Path, run: Run) -> bool:
    logs = [json.loads(facts.read_text())["log_fingerprint"] for facts in folder.glob("runs/*/data.json")]
    return run.data["log_fingerprint"] in logs


def _read(path: Path) -> Comparison:
    try:
        content = json.loads(path.read_text())
        rows: list[dict[str, Any]] = [
            {k: float("nan") if v is None else v for k, v in row.items()} for row in content["figures"]
        ]
        found = Comparison(content["reference"], tuple(Figure(**row) for row in rows))
        if found.reference not in found.table(found.cuts[-1]):
            raise ValueError("no figure of its reference")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path}: no comparison as `segmodel ablate` writes it: {error}") from error
    return found
