"""The recommendation benchmark's tables and files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segmodel.benchmark.extent import Extent
from segmodel.benchmark.recommend import Recommended
from segmodel.benchmark.weightings import BACKBONE_TITLES, REFERENCE, Mode
from segmodel.evaluation.bootstrap import Interval, holm
from segmodel.evaluation.comparison import Comparison, Figure, spread
from segmodel.evaluation.evaluation import jsonable
from segmodel.evaluation.markdown import STARS, gap, markdown_table, mean, plain_settings, resampled, rough, star
from segmodel.recommend.metrics import MEASURES, OVERALL, PER_USER, Rated, distances, figures, rate, users_counted

_TITLES = {"auc": "AUC", "f1": "F1", "logloss": "logloss", "gauc": "GAUC", "ndcg@10": "N@10", "recall@10": "R@10"}


@dataclass(frozen=True, eq=False)
class RecommendTables:
    """A benchmark's figures, every mode compared with the mode Video of the same backbone.

    Attributes
    ----------
    backbones : tuple of str
        Columns, in order.
    modes : tuple of Mode
        Rows, in order.
    found : Recommended
    comparison : Comparison
        Its models are modes, its cuts backbones.
    """

    backbones: tuple[str, ...]
    modes: tuple[Mode, ...]
    found: Recommended
    comparison: Comparison

    def markdown(self) -> str:
        """Table 4, the ranking of each user's views, and what was chosen at what cost."""
        blocks = [
            self._head(),
            f"**Table 4, effective views** ({' / '.join(_TITLES[m] for m in OVERALL)})",
            self._table(OVERALL),
            f"**Each user's test views, ranked** ({' / '.join(_TITLES[m] for m in PER_USER)}; {self._counted()})",
            self._table(PER_USER),
            "**Difference in AUC to Video**",
            self._differences(),
        ]
        if reasons := self._reasons():
            blocks += ["Without figures:", reasons]
        return "\n\n".join([*blocks, self._settings()]) + "\n"

    def write(self, folder: str | Path, extent: Extent) -> str:
        """Write ``recommend.md``, ``.csv``, ``.json``, and a chart of differences in AUC, ``.svg``.

        Beside a table of more, under a longer name.

        Returns
        -------
        str
            The name without suffixes.
        """
        from segmodel.evaluation.svg import differences_svg

        folder = Path(folder)
        stem = extent.write(folder, "recommend", self.markdown(), self.to_json())
        frame = self.comparison.to_frame().rename(columns={"model": "mode", "cut": "backbone"}).drop(columns="group")
        frame.to_csv(folder / f"{stem}.csv", index=False, float_format="%.6g")
        chart, panels = self._chart()
        (folder / f"{stem}.svg").write_text(differences_svg(chart, headlines=panels))
        return stem

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain content."""
        return {
            "data": self.found.facts,
            "absent": {b: dict(reasons) for b, reasons in self.found.absent.items()},
            "settings": {b: dict(s) for b, s in self.found.settings.items()},
            "seconds": dict(self.found.seconds),
            "reference": REFERENCE,
            "figures": [jsonable(asdict(f)) for f in self.comparison.figures],
        }

    def _head(self) -> str:
        counts = ", ".join(f"{self.found.facts['views'][part]:,} {part}" for part in ("train", "valid", "test"))
        share = self.found.effective.mean()
        users = len(np.unique(self.found.views.user))
        over = resampled(max(f.seeds for f in self.comparison.figures))
        return (
            f"# Recommendation by segments\n\nViews: {counts}; {share:.1%} of the test views, of {users:,} users, are "
            "effective. Mean ± standard deviation over seeds. Stars are of the difference to Video with the same "
            f"backbone and its 95 % interval over {over}: {STARS}, each measure for itself."
            f"{rough(users)}"
        )

    def _counted(self) -> str:
        figure = self.comparison.table(self.comparison.cuts[0])[REFERENCE]
        return f"{figure['gauc'].users:,} users count, {figure['recall@10'].users:,} for {_TITLES['recall@10']}"

    @cached_property
    def _together(self) -> Mapping[tuple[str, str, str], float]:
        """Mode, backbone and measure -> p after Holm's adjustment among all differences of the measure."""
        adjusted: dict[tuple[str, str, str], float] = {}
        for measure in MEASURES:
            same = [f for f in self.comparison.figures if f.metric == measure]
            names = [(f.model, f.cut, measure) for f in same]
            adjusted |= zip(names, holm([f.p for f in same]), strict=True)
        return adjusted

    def _starred(self, figure: Figure) -> str:
        return mean(figure) + star(figure, self._together[figure.model, figure.cut, figure.metric])

    def _table(self, measures: Sequence[str]) -> str:
        rows = [["mode", *(BACKBONE_TITLES[b] for b in self.backbones)]]
        for mode in self.modes:
            cells = []
            for backbone in self.backbones:
                there = self.comparison.table(backbone).get(mode.name)
                cells.append(" / ".join(self._starred(there[m]) for m in measures) if there else "–")
            rows.append([mode.title, *cells])
        return markdown_table(rows)

    def _differences(self) -> str:
        rows = [["mode", *(BACKBONE_TITLES[b] for b in self.backbones)]]
        for mode in self.modes:
            if mode.name == REFERENCE:
                continue
            tables = {b: self.comparison.table(b).get(mode.name) for b in self.backbones}
            gaps = (gap(t["auc"], self._together[mode.name, b, "auc"]) if t else "–" for b, t in tables.items())
            rows.append([mode.title, *gaps])
        return markdown_table(rows)

    def _reasons(self) -> str:
        """One line for each reason and the cells it explains."""
        lines = []
        for mode in self.modes:
            reasons = {b: self.found.absent[b][mode.name] for b in self.backbones if mode.name in self.found.absent[b]}
            for reason in dict.fromkeys(reasons.values()):
                whose = [BACKBONE_TITLES[b] for b, r in reasons.items() if r == reason]
                where = "" if len(whose) == len(self.backbones) else f" ({', '.join(whose)})"
                lines.append(f"- {mode.title}{where}: {reason}")
        return "\n".join(lines)

    def _settings(self) -> str:
        rows = [["fitted", "settings", "CPU seconds, all fits"]]
        for name, seconds in self.found.seconds.items():
            chosen = plain_settings(self.found.settings.get(name), ("max_segments", "weighing", "interest"))
            rows.append([name, chosen, f"{seconds:.0f}"])
        return "## Settings\n\n" + markdown_table(rows)

    def _chart(self) -> tuple[Comparison, Mapping[str, str]]:
        """Modes against panels, one for each backbone that has figures; and the panels' titles."""
        panels = {b: f"{BACKBONE_TITLES[b]}, AUC" for b in self.comparison.cuts}
        turned = [
            Figure(**{**asdict(f), "cut": "test views", "metric": f.cut})
            for f in self.comparison.figures
            if f.metric == "auc"
        ]
        return Comparison(REFERENCE, tuple(turned)), panels


def recommend_tables(backbones: Sequence[str], modes: Sequence[Mode], found: Recommended) -> RecommendTables:
    """Compare every mode with Video, each backbone for itself.

    Raises
    ------
    ValueError
        If no backbone has figures.
    """
    there = [b for b in backbones if REFERENCE in found.probability[b]]
    if not there:
        reasons = dict.fromkeys(r for b in backbones for r in found.absent[b].values())
        raise ValueError(f"no backbone could be fitted ({'; '.join(reasons)})")
    user = found.views.user
    rows: list[Figure] = []
    for backbone in there:
        rated = {
            name: [rate(p, found.effective, user) for p in seeds] for name, seeds in found.probability[backbone].items()
        }
        others = [name for name in rated if name != REFERENCE]
        gaps = dict(zip(others, distances([rated[name] for name in others], rated[REFERENCE]), strict=True))
        for name, seeds in rated.items():
            rows += _figures(name, backbone, seeds, gaps.get(name))
    return RecommendTables(tuple(backbones), tuple(modes), found, Comparison(REFERENCE, tuple(rows)))


def _figures(mode: str, backbone: str, seeds: Sequence[Rated], gaps: Sequence[Interval] | None) -> list[Figure]:
    """One for each measure; ``gaps`` are those of the reference where it is None."""
    values, users = figures(seeds), users_counted(seeds[0])
    found = []
    for j, measure in enumerate(MEASURES):
        gap = gaps[j] if gaps else Interval(math.nan, math.nan, math.nan)
        counts = (len(seeds[0].label), users[j], len(values))
        distance = (gap.mean, gap.low, gap.high, gap.p)
        found.append(Figure(mode, backbone, "all", measure, *counts, *spread(values[:, j].tolist()), *distance))
    return found
