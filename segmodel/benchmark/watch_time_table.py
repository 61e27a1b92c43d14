"""The watch-time benchmark's tables and files."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.types import Bool
from segmodel.benchmark.extent import Extent
from segmodel.benchmark.systems import System
from segmodel.benchmark.watch_time import WatchFound
from segmodel.evaluation.bootstrap import Interval, user_interval
from segmodel.evaluation.evaluation import jsonable
from segmodel.evaluation.markdown import markdown_table, plain_settings
from segmodel.evaluation.metric import Metric
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


def paired_interval(metric: str, ours: Sequence[WatchTimes], theirs: Sequence[WatchTimes]) -> Interval:
    """Mean difference over seeds, with its 95 % interval from resampling users with all their views."""
    measure, user = ALL_WATCH_METRICS[metric], ours[0].user
    if metric not in POOLED_WATCH_METRICS:
        apart = np.mean([measure(t) for t in ours], axis=0) - np.mean([measure(t) for t in theirs], axis=0)
        return user_interval(apart, user)
    order = np.argsort(user, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(user[order])) + 1)
    rng = np.random.default_rng(0)
    drawn = [
        _apart(measure, ours, theirs, np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]))
        for _ in range(XAUC_DRAWS if len(rows) > 1 else 0)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if drawn else (float("nan"), float("nan"))
    return Interval(_apart(measure, ours, theirs, order), float(low), float(high))


def _apart(measure: Metric, ours: Sequence[WatchTimes], theirs: Sequence[WatchTimes], rows: np.ndarray) -> float:
    mine, others = (np.mean([measure(t.take(rows)) for t in side]) for side in (ours, theirs))
    return float(mine - others)


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
        return (
            f"# Watch time\n\nViews: {counts}; test views of {len(np.unique(views.user)):,} users, of which "
            f"{views.replayed.mean():.1%} were watched longer than the video and count as its length. Means over "
            f"{seeds} seed{'s' * (seeds > 1)}. Δ is the difference to the best baseline ({references}) with its 95 % "
            "interval from resampling users; * where that leaves zero out. Under 10, 50, 90 %: the share of views "
            "under the predicted quantile, best where it is just that."
        )

    def _table(self) -> str:
        titles = [f"{m.title} {m.unit}".rstrip() for m in ALL_WATCH_METRICS.values()]
        rows = [["family", "system", *titles, *(f"Δ {ALL_WATCH_METRICS[m].title}" for m in COMPARED)]]
        for system in self.systems:
            if system.name not in self.overall:
                blank = ["–"] * (len(titles) + len(COMPARED) - 1)
                rows.append([system.family, system.name, *blank, self.found.absent[system.name]])
                continue
            values = self.overall[system.name]
            cells = [f"{values[n]:.{m.digits}f}" for n, m in ALL_WATCH_METRICS.items()]
            gaps = [_gap(self.gaps[m].get(system.name), ALL_WATCH_METRICS[m].digits) for m in COMPARED]
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
        gaps[metric] = {
            name: paired_interval(metric, seeds, found.times[best])
            for name, seeds in found.times.items()
            if name != best
        }
    return WatchTables(tuple(systems), found, overall, references, gaps)


def _gap(interval: Interval | None, digits: int) -> str:
    if interval is None:
        return "–"
    star = "*" if interval.clear else ""
    return f"{interval.mean:+.{digits}f} [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]{star}"
