"""The skip benchmark's tables and files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segmodel.benchmark.skip import Found
from segmodel.benchmark.systems import BASELINE_FAMILIES, System
from segmodel.evaluation.comparison import Comparison, Figure, compare_outcomes
from segmodel.evaluation.evaluation import jsonable
from segmodel.evaluation.markdown import gap, markdown_table, mean, plain_settings

PROTOCOLS = ("paper", "masked")

_CUT = "test"

_RANKING = {"HR@1": "hr@1", "HR@5": "hr@5", "N@5": "ndcg@5", "HR@10": "hr@10", "N@10": "ndcg@10"}

_TITLES = {
    "all": "Table 2, all views",
    "cold video": "Table 3, views of cold videos",
}

_EXPLAINED = {
    "paper": "The paper's protocol: 40 slots, a completed view leaves in slot N",
    "masked": "Masked protocol: only views that were really skipped, only real segments",
}


@dataclass(frozen=True, eq=False)
class SkipTables:
    """A benchmark's figures, compared with the best baseline of each protocol.

    Attributes
    ----------
    systems : tuple of System
        Rows, in order.
    found : Found
    comparisons : protocol -> Comparison
        Each against the baseline with the highest NDCG@5 on all test views.
    """

    systems: tuple[System, ...]
    found: Found
    comparisons: Mapping[str, Comparison]

    def markdown(self) -> str:
        """Tables 2 and 3 for each protocol, and what was chosen at what cost."""
        blocks = [self._head()]
        for protocol, comparison in self.comparisons.items():
            blocks.append(f"## {_EXPLAINED[protocol]}")
            for group, title in _TITLES.items():
                table = comparison.table(_CUT, group)
                if table:
                    blocks += [self._title(title, table, protocol), self._table(table, protocol)]
        return "\n\n".join([*blocks, self._settings()]) + "\n"

    def write(self, folder: str | Path) -> None:
        """Write ``skip.md``, ``skip.csv``, ``skip.json``, and a chart, ``skip-<protocol>.svg``."""
        import pandas as pd

        from segmodel.evaluation.svg import differences_svg

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "skip.md").write_text(self.markdown())
        frames = [c.to_frame().assign(protocol=p, reference=c.reference) for p, c in self.comparisons.items()]
        pd.concat(frames, ignore_index=True).to_csv(folder / "skip.csv", index=False, float_format="%.6g")
        (folder / "skip.json").write_text(json.dumps(self.to_json(), indent=1) + "\n")
        for protocol, comparison in self.comparisons.items():
            (folder / f"skip-{protocol}.svg").write_text(differences_svg(comparison))

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain content."""
        return {
            "data": self.found.facts,
            "absent": dict(self.found.absent),
            "settings": {k: dict(v) for k, v in self.found.settings.items()},
            "seconds": dict(self.found.seconds),
            "comparisons": {
                p: {"reference": c.reference, "figures": [jsonable(asdict(f)) for f in c.figures]}
                for p, c in self.comparisons.items()
            },
        }

    def _head(self) -> str:
        views = self.found.facts["views"]
        counts = ", ".join(f"{views[part]:,} {part}" for part in ("train", "valid", "test"))
        return (
            f"# Video-skip prediction\n\nViews: {counts}. Mean ± standard deviation over seeds. Δ is the difference in "
            "N@5 to the best baseline with its 95 % interval from resampling users; * where that leaves zero out."
        )

    def _title(self, title: str, table: Mapping[str, Mapping[str, Figure]], protocol: str) -> str:
        figure = next(iter(table.values()))[f"{protocol}_ndcg@5"]
        reference = self.comparisons[protocol].reference
        return f"**{title}** ({figure.views:,} views of {figure.users:,} users; best baseline: {reference})"

    def _table(self, table: Mapping[str, Mapping[str, Figure]], protocol: str) -> str:
        columns = _columns(protocol)
        rows = [["family", "system", *columns, "Δ N@5"]]
        for system in self.systems:
            figures = table.get(system.name)
            if figures is None:
                rows.append([system.family, system.name, *["–"] * len(columns), self.found.absent[system.name]])
                continue
            cells = [mean(figures[metric]) for metric in columns.values()]
            rows.append([system.family, system.name, *cells, gap(figures[f"{protocol}_ndcg@5"])])
        return markdown_table(rows)

    def _settings(self) -> str:
        rows = [["system", "chosen on validation", "CPU seconds, all fits"]]
        for system in self.systems:
            chosen = self.found.settings.get(system.name)
            text = plain_settings(chosen, ("max_segments",))
            rows.append([system.name, text, f"{self.found.seconds.get(system.name, 0.0):.0f}"])
        return "## Settings\n\n" + markdown_table(rows)


def skip_tables(systems: Sequence[System], found: Found, protocols: Sequence[str] = PROTOCOLS) -> SkipTables:
    """Compare the systems with the best baseline under each protocol.

    Raises
    ------
    ValueError
        If no system has figures, or a protocol is unknown or not defined for these views.
    """
    if not found.evaluations:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.absent.items())
        raise ValueError(f"no system could be fitted ({reasons})")
    if unknown := [p for p in protocols if p not in PROTOCOLS]:
        raise ValueError(f"unknown protocol {', '.join(unknown)}; valid are {', '.join(PROTOCOLS)}")
    outcomes = {name: {_CUT: list(seeds)} for name, seeds in found.evaluations.items()}
    comparisons = {p: compare_outcomes(outcomes, _best_baseline(systems, found, p)) for p in protocols}
    return SkipTables(tuple(systems), found, comparisons)


def _best_baseline(systems: Sequence[System], found: Found, protocol: str) -> str:
    """The baseline with the highest NDCG@5; the best of all where no baseline takes part."""
    score: dict[str, float] = {}
    for system in systems:
        seeds = [e.metrics.summary()[f"{protocol}_ndcg@5"] for e in found.evaluations.get(system.name, ())]
        if seeds:
            score[system.name] = sum(seeds) / len(seeds)
    if all(math.isnan(v) for v in score.values()):
        raise ValueError(f"no test view counts under the {protocol} protocol")
    baselines = [s.name for s in systems if s.family in BASELINE_FAMILIES and s.name in score]
    return max(baselines or score, key=lambda name: score[name])


def _columns(protocol: str) -> dict[str, str]:
    """Title -> metric. The log-likelihood counts all views, so it stands where all are ranked."""
    ranking = {title: f"{protocol}_{metric}" for title, metric in _RANKING.items()}
    return {**ranking, "NLL": "nll"} if protocol == "paper" else ranking
