"""Comparison: several models on the same views, each with its paired distance to one reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segmodel.evaluate import jsonable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Figure:
    """One metric of one model on one group of views.

    Attributes
    ----------
    model, cut, group, metric : str
    views, users : int
        That the metric counts.
    seeds : int
    mean, std : float
        Over seeds; ``std`` is NaN for a single one.
    difference, low, high : float
        Mean paired difference to the reference, and its 95 % interval from resampling users; NaN for the reference and
        for measures that views do not have one by one.
    """

    model: str
    cut: str
    group: str
    metric: str
    views: int
    users: int
    seeds: int
    mean: float
    std: float
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """All figures of a comparison, in the order of its models."""

    reference: str
    figures: tuple[Figure, ...]

    def frame(self) -> pd.DataFrame:
        """One row per figure."""
        import pandas as pd

        return pd.DataFrame([asdict(f) for f in self.figures])

    def table(self, cut: str, group: str = "all") -> dict[str, dict[str, Figure]]:
        """Model -> metric -> figure."""
        found: dict[str, dict[str, Figure]] = {}
        for f in self.figures:
            if (f.cut, f.group) == (cut, group):
                found.setdefault(f.model, {})[f.metric] = f
        return found

    @property
    def cuts(self) -> list[str]:
        """The cuts in order, all of them together last."""
        return list(dict.fromkeys(f.cut for f in self.figures))

    def markdown(self, cuts: Sequence[str] | None = None) -> str:
        """Tables of the given cuts (default: all), see :mod:`segmodel.comparison_table`."""
        from segmodel.comparison_table import markdown

        return markdown(self, self.cuts if cuts is None else cuts)

    def write(self, folder: str | Path) -> None:
        """Write ``comparison.md``, ``.csv``, ``.json`` and a chart, ``.svg``, into a folder."""
        from segmodel.chart import differences_svg

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.md").write_text(self.markdown())
        self.frame().to_csv(folder / "comparison.csv", index=False, float_format="%.6g")
        (folder / "comparison.svg").write_text(differences_svg(self))
        content = {"reference": self.reference, "figures": [jsonable(asdict(f)) for f in self.figures]}
        (folder / "comparison.json").write_text(json.dumps(content, indent=1) + "\n")
