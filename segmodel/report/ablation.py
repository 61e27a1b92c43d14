"""What `segmodel ablate` found out, where there is something."""

from __future__ import annotations

import json
from pathlib import Path

from segmodel.evaluation.comparison import Comparison
from segmodel.evaluation.comparison_files import COMPARISON_FILE, read_comparison
from segmodel.runs.run import Run

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
    return {
        f.parent.name: read_comparison(f) for f in sorted(files, key=lambda f: (f.parent.name != own, f.parent.name))
    }


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    direct = path / COMPARISON_FILE
    return [direct] if direct.is_file() else list(path.glob(f"*/{COMPARISON_FILE}"))


def _same_log(folder: Path, run: Run) -> bool:
    logs = [json.loads(facts.read_text())["log_fingerprint"] for facts in folder.glob("runs/*/data.json")]
    return run.data["log_fingerprint"] in logs
