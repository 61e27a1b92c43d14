"""The skip benchmark's tables and files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segmodel.benchmark.extent import Extent
from segmodel.benchmark.skip import CRITERIA, LESS_IS_BETTER, Found
from segmodel.benchmark.systems import BASELINE_FAMILIES, System
from segmodel.evaluation.bootstrap import holm
from segmodel.evaluation.comparison import Comparison, compare_outcomes
from segmodel.evaluation.evaluation import jsonable
from segmodel.evaluation.markdown import STARS, gap, markdown_table, mean, plain_settings, resampled, rough

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
    comparisons : criterion -> Comparison
        For each protocol and, beside the paper's, for NLL: the systems with the settings that validation chose by the
        criterion, against the baseline that is best by it on all test views.
    """

    systems: tuple[System, ...]
    found: Found
    comparisons: Mapping[str, Comparison]

    def markdown(self) -> str:
        """Tables 2 and 3 for each protocol, and what was chosen at what cost."""
        blocks = [self._head()]
        for protocol in self._protocols:
            blocks.append(f"## {_EXPLAINED[protocol]}")
            for group, title in _TITLES.items():
                if self.comparisons[protocol].table(_CUT, group):
                    blocks += [self._title(title, protocol, group), self._table(protocol, group)]
        return "\n\n".join([*blocks, self._settings()]) + "\n"

    def write(self, folder: str | Path, extent: Extent) -> str:
        """Write ``skip.md``, ``skip.csv``, ``skip.json``, and a chart, ``skip-<protocol>.svg``.

        Beside a table of more, under a longer name.

        Returns
        -------
        str
            The name without suffixes.
        """
        import pandas as pd

        from segmodel.evaluation.svg import differences_svg

        folder = Path(folder)
        stem = extent.write(folder, "skip", self.markdown(), self.to_json())
        frames = [c.to_frame().assign(criterion=k, reference=c.reference) for k, c in self.comparisons.items()]
        pd.concat(frames, ignore_index=True).to_csv(folder / f"{stem}.csv", index=False, float_format="%.6g")
        for protocol in self._protocols:
            (folder / f"{stem}-{protocol}.svg").write_text(differences_svg(self.comparisons[protocol]))
        return stem

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain content."""
        return {
            "data": self.found.facts,
            "absent": dict(self.found.absent),
            "settings": {k: {s: dict(v) for s, v in by.items()} for k, by in self.found.settings.items()},
            "seconds": dict(self.found.seconds),
            "comparisons": {
                p: {"reference": c.reference, "figures": [jsonable(asdict(f)) for f in c.figures]}
                for p, c in self.comparisons.items()
            },
        }

    @property
    def _protocols(self) -> list[str]:
        return [name for name in self.comparisons if name in PROTOCOLS]

    def _head(self) -> str:
        views = self.found.facts["views"]
        counts = ", ".join(f"{views[part]:,} {part}" for part in ("train", "valid", "test"))
        over = resampled(max(f.seeds for c in self.comparisons.values() for f in c.figures))
        return (
            f"# Video-skip prediction\n\nViews: {counts}. Mean ± standard deviation over seeds. Settings are chosen on "
            "validation views by N@5 of the protocol, for the column NLL by NLL; epochs always by the paper's N@5. Δ "
            f"is the difference to the best baseline with its 95 % interval from resampling {over}; {STARS}. "
            "paper-… ranks by the unbounded sum, as the paper's public code trains it, paper-…-sigmoid by the sigmoid "
            "around it that the text prints."
        )

    def _title(self, title: str, protocol: str, group: str) -> str:
        figures = self.comparisons[protocol].table(_CUT, group)
        figure = next(iter(figures.values()))[CRITERIA[protocol]]
        best = f"best baseline: {self.comparisons[protocol].reference}"
        if "nll" in _columns(protocol).values():
            best += f", by NLL {self.comparisons['nll'].reference}"
        return f"**{title}** ({figure.views:,} views of {figure.users:,} users; {best}).{rough(figure.users)}"

    def _table(self, protocol: str, group: str) -> str:
        columns = _columns(protocol)
        gaps = {"Δ N@5": protocol, **({"Δ NLL": "nll"} if "NLL" in columns else {})}
        tables = {by: self.comparisons[by].table(_CUT, group) for by in {protocol, *gaps.values()}}
        names = [s.name for s in self.systems if s.name in tables[protocol]]
        together = {
            by: dict(zip(names, holm([tables[by][n][CRITERIA[by]].p for n in names]), strict=True))
            for by in gaps.values()
        }
        rows = [["family", "system", *columns, *gaps]]
        for system in self.systems:
            name = system.name
            if name not in tables[protocol]:
                nothing = ["–"] * (len(columns) + len(gaps) - 1)
                rows.append([system.family, name, *nothing, self.found.absent[name]])
                continue
            cells = [mean(tables["nll" if m == "nll" else protocol][name][m]) for m in columns.values()]
            distances = [gap(tables[by][name][CRITERIA[by]], together[by][name]) for by in gaps.values()]
            rows.append([system.family, name, *cells, *distances])
        return markdown_table(rows)

    def _settings(self) -> str:
        rows = [["system", "chosen for", "settings", "CPU seconds, all fits"]]
        for system in self.systems:
            seconds = f"{self.found.seconds.get(system.name, 0.0):.0f}"
            by_text: dict[str, list[str]] = {}
            for criterion in self.comparisons:
                chosen = self.found.settings[criterion].get(system.name)
                by_text.setdefault(plain_settings(chosen, ("max_segments",)), []).append(criterion)
            for text, criteria in by_text.items():
                rows.append([system.name, ", ".join(criteria), text, seconds])
        return "## Settings\n\n" + markdown_table(rows)


def skip_tables(systems: Sequence[System], found: Found, protocols: Sequence[str] = PROTOCOLS) -> SkipTables:
    """Compare the systems with the best baseline under each protocol, and by NLL beside the paper's.

    Raises
    ------
    ValueError
        If no system has figures, or a protocol is unknown or not defined for these views.
    """
    if not any(found.evaluations.values()):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.absent.items())
        raise ValueError(f"no system could be fitted ({reasons})")
    if unknown := [p for p in protocols if p not in PROTOCOLS]:
        raise ValueError(f"unknown protocol {', '.join(unknown)}; valid are {', '.join(PROTOCOLS)}")
    comparisons = {}
    for criterion in (c for c in CRITERIA if c in protocols or (c == "nll" and "paper" in protocols)):
        outcomes = {name: {_CUT: list(seeds)} for name, seeds in found.evaluations[criterion].items()}
        comparisons[criterion] = compare_outcomes(outcomes, _best_baseline(systems, found, criterion))
    return SkipTables(tuple(systems), found, comparisons)


def _best_baseline(systems: Sequence[System], found: Found, criterion: str) -> str:
    """The baseline that is best by the criterion; the best of all where no baseline takes part."""
    score: dict[str, float] = {}
    for system in systems:
        seeds = [e.metrics.summary()[CRITERIA[criterion]] for e in found.evaluations[criterion].get(system.name, ())]
        if seeds:
            score[system.name] = sum(seeds) / len(seeds) * (-1 if criterion in LESS_IS_BETTER else 1)
    if all(math.isnan(v) for v in score.values()):
        raise ValueError(f"no test view counts under the {criterion} protocol")
    baselines = [s.name for s in systems if s.family in BASELINE_FAMILIES and s.name in score]
    return max(baselines or score, key=lambda name: score[name])


def _columns(protocol: str) -> dict[str, str]:
    """Title -> metric. The log-likelihood counts all views, so it stands where all are ranked."""
    ranking = {title: f"{protocol}_{metric}" for title, metric in _RANKING.items()}
    return {**ranking, "NLL": "nll"} if protocol == "paper" else ranking
