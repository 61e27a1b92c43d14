"""The watch-time benchmark's tables and files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.types import Bool, Float64
from segmodel.benchmark.extent import Extent
from segmodel.benchmark.systems import System
from segmodel.benchmark.watch_time import WatchFound
from segmodel.evaluation.bootstrap import Interval, holm, seed_intervals, training_intervals
from segmodel.evaluation.evaluation import jsonable
from segmodel.evaluation.markdown import STARS, markdown_table, plain_settings, resampled, rough, stars
from segmodel.evaluation.watch_time_metrics import ALL_WATCH_METRICS, POOLED_WATCH_METRICS, WatchTimes, summary

COMPARED = ("xauc", "xgauc", "crps_s")
"""Metrics that are shown with their differences to the reference; it is the best baseline in each."""

BY_LENGTH = ("xauc", "crps_s")
"""Metrics that have a table by the video's length; users have too few views of one length for pairs of them."""

BUCKETS_S = (0.0, 10.0, 20.0, 40.0, 200.0)
"""Durations between which views are summed up together."""

XAUC_DRAWS = 300
"""Bootstrap samples of a measure over pairs, which costs far more than a mean."""

Figures = Mapping[str, Mapping[str, float]]
"""System -> metric -> mean over seeds."""


def figures(times: Mapping[str, Sequence[WatchTimes]], keep: Bool) -> Figures:
    """Of the views of ``keep`` (B,)."""
    found: dict[str, dict[str, float]] = {}
    for name, seeds in times.items():
        each = [summary(one.take(keep)) for one in seeds]
        found[name] = {metric: float(np.mean([s[metric] for s in each])) for metric in ALL_WATCH_METRICS}
    return found


def distances(metric: str, models: Sequence[Sequence[WatchTimes]], reference: Sequence[WatchTimes]) -> list[Interval]:
    """Of each model's trainings to the reference's, with their intervals over users and trainings."""
    measure, user = ALL_WATCH_METRICS[metric], reference[0].user
    everything = (reference, *models)
    if metric not in POOLED_WATCH_METRICS:
        values = [np.stack([measure(t) for t in trainings])[:, :, None] for trainings in everything]
        return [row[0] for row in seed_intervals(values[1:], values[0], user)]
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max()) + 1

    def pooled(weight: Float64) -> list[Float64]:
        drawn = [np.repeat(np.arange(len(code)), counts[code].astype(np.int64)) for counts in weight]
        return [np.array([[[measure(t.take(rows))] for rows in drawn] for t in trainings]) for trainings in everything]

    return [row[0] for row in training_intervals(pooled, users, [users], XAUC_DRAWS)]


@dataclass(frozen=True, eq=False)
class WatchTables:
    """A benchmark's figures, compared with the best baseline in each measure.

    Attributes
    ----------
    systems : tuple of System
        Rows, in order.
    found : WatchFound
    overall : Figures
        Of all test views.
    references : metric -> system name
    gaps : metric -> system name -> Interval
        Differences to the reference.
    """

    systems: tuple[System, ...]
    found: WatchFound
    overall: Figures
    references: Mapping[str, str]
    gaps: Mapping[str, Mapping[str, Interval]]

    def buckets(self) -> dict[str, Bool]:
        """Views by the video's length; those without a view are left out."""
        length = self.found.views.picture_s
        named = {
            f"{low:g} to {high:g} s": (length > low) & (length <= high) for low, high in itertools.pairwise(BUCKETS_S)
        }
        return {name: mask for name, mask in named.items() if mask.any()}

    def markdown(self) -> str:
        """One table of everything, some by the video's length, and the settings."""
        blocks = [self._head(), self._table()]
        buckets = {name: (mask, figures(self.found.times, mask)) for name, mask in self.buckets().items()}
        for metric in BY_LENGTH:
            blocks.append(f"**{ALL_WATCH_METRICS[metric].title} by the video's length**")
            blocks.append(self._by_bucket(metric, buckets))
        return "\n\n".join([*blocks, self._settings()]) + "\n"

    def write(self, folder: str | Path, extent: Extent) -> str:
        """Write ``watch-time.md`` and ``watch-time.json``, under a longer name beside a table of more; the name."""
        return extent.write(folder, "watch-time", self.markdown(), self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain content."""
        content = {
            "data": dict(self.found.facts),
            "replayed": float(self.found.views.replayed.mean()),
            "absent": dict(self.found.absent),
            "settings": {k: dict(v) for k, v in self.found.settings.items()},
            "seconds": dict(self.found.seconds),
            "all": {k: dict(v) for k, v in self.overall.items()},
            "by_duration": {n: figures(self.found.times, mask) for n, mask in self.buckets().items()},
            "references": dict(self.references),
            "differences": {m: {k: asdict(v) for k, v in gaps.items()} for m, gaps in self.gaps.items()},
        }
        plain: dict[str, Any] = jsonable(content)
        return plain

    def _head(self) -> str:
        facts, views = self.found.facts["views"], self.found.views
        counts = ", ".join(f"{facts[part]:,} {part}" for part in ("train", "valid", "test"))
        seeds = max(len(t) for t in self.found.times.values())
        references = ", ".join(f"{ALL_WATCH_METRICS[m].title}: {name}" for m, name in self.references.items())
        users = len(np.unique(views.user))
        return (
            f"# Watch time\n\nViews: {counts}; test views of {users:,} users, of which "
            f"{views.replayed.mean():.1%} were watched longer than the video and count as its length. Means over "
            f"{seeds} seed{'s' * (seeds > 1)}. Δ is the difference to the best baseline ({references}) with its 95 % "
            f"interval over {resampled(seeds)}; {STARS}, each measure for itself.{rough(users)} Under 10, 50, 90 %: "
            "the share of views under the predicted quantile, best where it is just that."
        )

    def _table(self) -> str:
        titles = [f"{m.title} {m.unit}".rstrip() for m in ALL_WATCH_METRICS.values()]
        rows = [["family", "system", *titles, *(f"Δ {ALL_WATCH_METRICS[m].title}" for m in COMPARED)]]
        together = {
            metric: dict(zip(gaps, holm([gap.p for gap in gaps.values()]), strict=True))
            for metric, gaps in self.gaps.items()
        }
        for system in self.systems:
            if system.name not in self.overall:
                blank = ["–"] * (len(titles) + len(COMPARED) - 1)
                rows.append([system.family, system.name, *blank, self.found.absent[system.name]])
                continue
            values = self.overall[system.name]
            cells = [f"{values[n]:.{m.digits}f}" for n, m in ALL_WATCH_METRICS.items()]
            gaps = [
                _gap(self.gaps[m].get(system.name), together[m].get(system.name, math.nan), ALL_WATCH_METRICS[m].digits)
                for m in COMPARED
            ]
            rows.append([system.family, system.name, *cells, *gaps])
        return markdown_table(rows)

    def _by_bucket(self, metric: str, buckets: Mapping[str, tuple[Bool, Figures]]) -> str:
        rows = [["system", *(f"{name} ({int(mask.sum()):,})" for name, (mask, _) in buckets.items())]]
        digits = ALL_WATCH_METRICS[metric].digits
        for name in self.overall:
            rows.append([name, *(f"{found[name][metric]:.{digits}f}" for _, found in buckets.values())])
        return markdown_table(rows)

    def _settings(self) -> str:
        rows = [["system", "chosen on validation by CRPS", "CPU seconds, all fits"]]
        for system in self.systems:
            text = plain_settings(self.found.settings.get(system.name), ("max_segments",))
            rows.append([system.name, text, f"{self.found.seconds.get(system.name, 0.0):.0f}"])
        return "## Settings\n\n" + markdown_table(rows)


def watch_tables(systems: Sequence[System], found: WatchFound) -> WatchTables:
    """Compare the systems with the best baseline in each of :data:`COMPARED`.

    Raises
    ------
    ValueError
        If no system has figures.
    """
    if not found.times:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.absent.items())
        raise ValueError(f"no system could be fitted ({reasons})")
    overall = figures(found.times, np.ones(len(found.views), dtype=bool))
    baselines = [s.name for s in systems if s.family != "Ours" and s.name in overall] or list(overall)
    references, gaps = {}, {}
    for metric in COMPARED:
        sign = -1.0 if ALL_WATCH_METRICS[metric].less_is_better else 1.0
        best = max(baselines, key=lambda n: sign * overall[n][metric])
        references[metric] = best
        others = [name for name in found.times if name != best]
        intervals = distances(metric, [found.times[name] for name in others], found.times[best])
        gaps[metric] = dict(zip(others, intervals, strict=True))
    return WatchTables(tuple(systems), found, overall, references, gaps)


def _gap(interval: Interval | None, together: float, digits: int) -> str:
    if interval is None:
        return "–"
    bounds = f"[{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"
    return f"{interval.mean:+.{digits}f} {bounds}{stars(interval, together)}"
