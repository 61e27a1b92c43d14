"""Comparisons on disk: tables and a chart for people, JSON to read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.markdown import comparison_markdown
from segmodel.evaluation.svg import differences_svg

COMPARISON_FILE = "comparison.json"
"""What :func:`read_comparison` reads."""


def write_comparison(comparison: Comparison, folder: str | Path) -> None:
    """Write ``comparison.md``, ``.csv``, ``.json`` and a chart, ``.svg``, into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.md").write_text(comparison_markdown(comparison))
    comparison.to_frame().to_csv(folder / "comparison.csv", index=False, float_format="%.6g")
    (folder / "comparison.svg").write_text(differences_svg(comparison))
    (folder / COMPARISON_FILE).write_text(json.dumps(comparison.to_json(), indent=1) + "\n")


def read_comparison(path: Path) -> Comparison:
    """The comparison in a ``comparison.json``.

    Raises
    ------
    ValueError
        If the file is none.
    """
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
