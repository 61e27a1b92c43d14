"""The page itself: what the templates need, and the file that comes out."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from segfeat.whole import whole_file
from segmodel.evaluation.bootstrap import Interval
from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.view_metrics import METRICS
from segmodel.report import charts
from segmodel.report.ablation import find_ablations
from segmodel.report.cases import LEVELS, RULE, Case, Segment, Viewer, auto_cases, named_cases
from segmodel.report.data_summary import summarise
from segmodel.report.filmstrip import filmstrip
from segmodel.report.results import RunResults, group_rows, measure
from segmodel.runs.held_out import BASELINES
from segmodel.runs.predictor import Predictor
from segmodel.runs.slices import REFERENCE, measured_slices

OPEN_CASES = 8
"""Cases that lie open; the others are unfolded on demand, so that the figures below stay near."""

WORST_SLICES = 12
"""Slices shown; the others, on which the run does better, are counted."""

_LABELLED = 20
"""Segments up to which each has its time written below."""

_NOT_CURVES = ("epoch", "best", "member")


def write_report(
    predictor: Predictor,
    out: str | Path,
    *,
    cases: Path | None = None,
    videos: Path | None = None,
    ablation: Path | None = None,
    baselines: Sequence[str] = BASELINES,
) -> int:
    """Write a report about a run as one HTML file that needs nothing else, and return its size in bytes.

    Parameters
    ----------
    predictor : Predictor
    out : path
    cases : path, optional
        CSV with ``user_id`` and ``video_id`` of the views to show; default: by :data:`segmodel.report.cases.RULE`.
    videos : path, optional
        Folder of raw videos, for pictures that the store does not keep.
    ablation : path, optional
        What `segmodel ablate` wrote; default: see :func:`segmodel.report.ablation.find_ablations`.
    baselines : sequence of str

    Raises
    ------
    ValueError
        If there is no view to measure on, or a given file cannot be used.
    """
    run, store = predictor.run, predictor.data.store
    results = measure(predictor, baselines)
    chosen = named_cases(predictor, results, cases) if cases else auto_cases(results, store)
    page = _environment().get_template("page.html")
    text = page.render(
        run=run,
        store=store,
        script=_script(),
        headline=_headline(results),
        rule=None if cases else RULE,
        cases=[(case, filmstrip(store, case.video_id, videos)) for case in chosen],
        levels=LEVELS,
        open_cases=_open_cases(chosen),
        measured=results,
        methods=_methods(results.comparison),
        groups=_groups(results),
        slices=_slices(results),
        calibration=_calibration(results),
        training=_training(run.history),
        ablations={model: _methods(found) for model, found in find_ablations(run, ablation).items()},
        facts=(facts := summarise(predictor.data)),
        histograms=[
            (charts.histogram_svg(h, what, axis), caption, axis, h)
            for h, what, axis, caption in (
                (facts.watch_ratio, "Watch ratio", "watch time / duration", "How much of a video people watch."),
                (facts.lengths, "Number of segments", "segments", "How long the watched videos are."),
            )
        ],
    )
    # Paths may hold bytes that are no UTF-8; they are shown escaped.
    content = text.encode("utf-8", "backslashreplace")
    with whole_file(out) as temporary:
        temporary.write_bytes(content)
    return len(content)


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("segmodel", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=_number, signed=_signed, percent=_percent, seconds=_seconds)
    found.globals.update(curve=_curve, survival_at=_survival_at, time_labels=_time_labels)
    return found


def _script() -> dict[str, Markup]:
    """The page's one script and the hash by which alone its content policy lets it run."""
    source = (Path(__file__).parent / "sort.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    style = resources.files("segmodel").joinpath("style.css").read_text(encoding="utf-8")
    return {"source": Markup(source), "hash": Markup(digest), "style": Markup(style)}


def _open_cases(cases: Sequence[Case]) -> int:
    """How many lie open: one more where half a row would stay empty."""
    return OPEN_CASES + sum(not case.wide for case in cases[:OPEN_CASES]) % 2


def _headline(results: RunResults) -> dict[str, Any]:
    """The most important difference, in words."""
    reference = results.comparison.reference
    table = results.comparison.table(results.comparison.cuts[-1])
    own = table[results.name]
    nll = own["nll"]
    gap = _interval(nll)
    verdict = "reference" if results.name == reference else "unclear"
    if gap.clear:
        verdict = "better" if gap.mean < 0 else "worse"
    ratio = math.exp(-gap.mean)
    return {
        "own": own,
        "reference": table[reference],
        "name": reference,
        "gap": gap,
        "ratio": ratio,
        "verdict": verdict,
    }


def _methods(comparison: Comparison) -> dict[str, Any]:
    """The table of models: figures, and the two differences with their drawings."""
    table = comparison.table(comparison.cuts[-1])
    drawn = {}
    for metric in ("nll", "masked_ndcg@5"):
        intervals = {model: _interval(figures[metric]) for model, figures in table.items()}
        scale = charts.interval_scale(list(intervals.values()))
        drawn[metric] = {
            m: (i, charts.interval_svg(i, scale, METRICS[metric].less_is_better)) for m, i in intervals.items()
        }
    first = next(iter(table.values()))["nll"]
    return {
        "rows": table,
        "drawn": drawn,
        "reference": comparison.reference,
        "views": first.views,
        "users": first.users,
        "seeds": first.seeds,
        "cut": comparison.cuts[-1],
    }


def _groups(results: RunResults) -> list[tuple[Any, Markup]]:
    rows = group_rows(results)
    scale = charts.interval_scale([row.gap for row in rows])
    return [(row, charts.interval_svg(row.gap, scale, True)) for row in rows]


def _slices(results: RunResults) -> dict[str, Any] | None:
    """The slices on which the run does worst, with drawings; None where it is the reference itself."""
    if results.held.run_data.config.model == REFERENCE:
        return None
    table = measured_slices(results)
    scale = charts.interval_scale([figure.gap for figure in table.figures])
    worst = table.figures[:WORST_SLICES]
    return {
        "rows": [(figure, charts.interval_svg(figure.gap, scale, True)) for figure in worst],
        "better": len(table.figures) - len(worst),
        "small": table.small,
        "reference": table.reference,
    }


def _calibration(results: RunResults) -> list[tuple[str, Any, Markup]]:
    curves = (("P(watches to the end)", results.own.completes()), ("P(leaves at once)", results.own.leaves_first()))
    return [(what, curve, charts.calibration_svg(curve, what)) for what, curve in curves]


def _training(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """One chart for each number that training wrote down at every epoch; the epochs whose weights were kept marked."""
    members: dict[Any, list[Mapping[str, Any]]] = {}
    for record in records:
        members.setdefault(record.get("member"), []).append(record)
    if len(records) < 2:
        return []
    names = [name for name in records[0] if name not in _NOT_CURVES and not name.endswith("_s")]
    kept = [_kept_epoch(member) for member in members.values()]
    found = []
    for name in names:
        series: list[list[Any]] = [[r.get(name) for r in member] for member in members.values()]
        if all(isinstance(v, float) and math.isfinite(v) for values in series for v in values):
            words = name.replace("valid_", "validation ").replace("_", " ")
            found.append((words, charts.lines_svg(series, words, kept if name.startswith("valid") else ())))
    return found


def _kept_epoch(records: Sequence[Mapping[str, Any]]) -> int:
    """The epoch whose weights a training kept: the last one that was the best so far.

    Without early stopping every epoch counts as the best so far, and the last one's weights are kept.
    """
    best = [i for i, r in enumerate(records) if any(k.startswith("valid") and v == r.get("best") for k, v in r.items())]
    return best[-1] if best else len(records) - 1


def _interval(figure: Figure) -> Interval:
    return Interval(figure.difference, figure.low, figure.high)


def _curve(viewer: Viewer, duration_s: float) -> str:
    """Points of the survival curve in a square of 100; people leave evenly within a segment."""
    points = [(0.0, 0.0)] + [(100 * s.end_s / duration_s, 100 * (1 - s.survival)) for s in viewer.segments]
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _survival_at(viewer: Viewer, time_s: float) -> float:
    """Height of the curve at a time, 0 .. 1."""
    before = 1.0
    for s in viewer.segments:
        if time_s <= s.end_s:
            return before + (s.survival - before) * (time_s - s.start_s) / (s.end_s - s.start_s)
        before = s.survival
    return before


def _time_labels(segments: Sequence[Segment]) -> list[bool]:
    """Which segments have the time they begin at below them, so that no two labels meet on a narrow page."""
    n, duration_s = len(segments), segments[-1].end_s
    last = f"{_seconds(duration_s)} s"
    every = 1 if n <= _LABELLED else 2
    found = []
    for i, segment in enumerate(segments):
        # About 7 pixels a letter; the last label stands 14 out of the strip, of the others one half lies on each side.
        free = (1 - segment.start_s / duration_s) * max(276, 28 * n)
        needed = 7.2 * len(last) - 14 + 3.6 * len(_seconds(segment.start_s)) + 5
        found.append(i % every == 0 and (i == 0 or free >= needed))
    return found


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _signed(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")


def _percent(value: float) -> str:
    if math.isnan(value):
        return "–"
    shown = "<1" if 0 < value < 0.005 else ">99" if 0.995 <= value < 1 else f"{100 * value:.0f}"
    return f"{shown}\u00a0%"


def _seconds(value: float) -> str:
    """As short as a time label should be."""
    return f"{value:.1f}".removesuffix(".0")
