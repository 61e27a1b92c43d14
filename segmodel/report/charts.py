"""Drawings of the report: small SVG pictures whose colours come from the page's style sheet. No library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from segmodel.evaluation.bootstrap import Interval
from segmodel.evaluation.reliability import Reliability
from segmodel.report.data_summary import Histogram

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 24, 14, 38
"""Of a chart with axes, in its own pixels."""

_DOTTED = 30
"""Epochs up to which each has a dot."""

_IV_WIDTH, _IV_HEIGHT = 150, 20


def calibration_svg(curve: Reliability, what: str) -> Markup:
    """Predicted against observed probability, one dot per bin; on the diagonal it is right."""
    frame = _Frame((0.0, 1.0), (0.0, 1.0), _fifths, _fifths, _percent, _percent)
    points = [(frame.x(p), frame.y(o)) for p, o in zip(curve.predicted.tolist(), curve.observed.tolist(), strict=True)]
    marks = [
        f'<polyline class="ideal" points="{_points([(frame.x(v), frame.y(v)) for v in (0, 1)])}"/>',
        f'<polyline class="line" points="{_points(points)}"/>',
    ]
    for (x, y), p, o, n in zip(points, curve.predicted, curve.observed, curve.views, strict=True):
        marks.append(_dot(x, y, f"predicted {p:.0%}, happened in {o:.0%} of {n:,} views"))
    worst = f"{curve.ece:.3f} expected calibration error over {len(points)} bins of equal count"
    return frame.svg(f"Calibration of {what}: {worst}.", "predicted", "happened", marks)


def histogram_svg(histogram: Histogram, what: str, axis: str) -> Markup:
    """Bars, with the completed views of each set off."""
    counts, marked = histogram.counts, histogram.marked
    n = len(counts)
    top = _ticks(0.0, max([1, *counts]))[-1]
    every = max(1, math.ceil(n / 8))
    frame = _Frame(
        (0.0, float(n)),
        (0.0, top),
        lambda low, high: [i + 0.5 for i in range(0, n, every)],
        _ticks,
        lambda v: histogram.labels[int(v)].partition("–")[0].partition(" ")[0],
        lambda v: f"{v:,.0f}",
        rules=False,
    )
    marks = []
    for i, (count, done) in enumerate(zip(counts, marked, strict=True)):
        left, width = frame.x(i + 0.08), frame.x(i + 0.92) - frame.x(i + 0.08)
        split = frame.y(done)
        marks.append("<g>")
        for css, y, bottom in (("bar", frame.y(count), split), ("bar done", split, frame.y(0))):
            if bottom - y > 0.05:
                marks.append(
                    f'<rect class="{css}" x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{bottom - y:.1f}"/>'
                )
        marks.append(f"<title>{escape(histogram.labels[i])}: {count:,} views, {done:,} to the end</title></g>")
    return frame.svg(f"{what}: {sum(counts):,} views in {n} bars.", axis, "views", marks)


def lines_svg(series: Sequence[Sequence[float]], what: str, best: Sequence[int] = ()) -> Markup:
    """Curves over epochs, one per member of an ensemble, each with its best epoch marked."""
    every = [value for values in series for value in values]
    epochs = max(map(len, series))
    low, high = min(every), max(every)
    slack = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    ticks = _ticks(low - slack, high + slack)
    frame = _Frame(
        (0.0, float(max(1, epochs - 1))),
        (ticks[0], ticks[-1]),
        lambda a, b: [t for t in _ticks(a, b, 6) if t <= b and t == int(t)],
        lambda a, b: ticks,
        lambda v: f"{v:.0f}",
        lambda v: f"{v:.4g}".replace("-", "−"),
    )
    marks = []
    for number, values in enumerate(series):
        points = [(frame.x(i), frame.y(v)) for i, v in enumerate(values)]
        marks.append(f'<polyline class="line" points="{_points(points)}"/>')
        chosen = best[number] if best else None
        for i in range(len(values)) if epochs <= _DOTTED else [] if chosen is None else [chosen]:
            marks.append(_dot(*points[i], f"epoch {i}: {values[i]:.4f}", "best" if i == chosen else ""))
    return frame.svg(f"{what} over {epochs} epochs, {low:.4f} to {high:.4f}.", "epoch", "", marks)


def interval_scale(intervals: Sequence[Interval]) -> float:
    """Half the width that shows all of them, zero in the middle."""
    ends = [abs(v) for i in intervals for v in (i.mean, i.low, i.high) if not math.isnan(v)]
    return max([1e-6, *ends]) * 1.08


def interval_svg(interval: Interval, scale: float, less_is_better: bool) -> Markup:
    """A dot with its interval around a line at zero; see :func:`interval_scale`. A table's cell tells the numbers."""
    if math.isnan(interval.mean):
        return Markup("")

    def x(value: float) -> float:
        return _IV_WIDTH * (0.5 + 0.5 * max(-1.0, min(1.0, value / scale)))

    better = (interval.mean < 0) == less_is_better
    css = "unclear" if not interval.clear else "better" if better else "worse"
    middle, y = _IV_WIDTH / 2, _IV_HEIGHT / 2
    parts = [f'<line class="zero" x1="{middle}" y1="1" x2="{middle}" y2="{_IV_HEIGHT - 1}"/>']
    if not math.isnan(interval.low):
        parts.append(f'<line class="bar" x1="{x(interval.low):.1f}" y1="{y}" x2="{x(interval.high):.1f}" y2="{y}"/>')
    parts.append(f'<circle cx="{x(interval.mean):.1f}" cy="{y}" r="4"/>')
    return Markup(
        f'<svg class="interval {css}" viewBox="0 0 {_IV_WIDTH} {_IV_HEIGHT}" width="{_IV_WIDTH}" '
        f'height="{_IV_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


class _Frame:
    """Axes, grid and labels around a chart."""

    def __init__(  # type: ignore[no-untyped-def]  # ticks and labels are small functions
        self, xs: tuple[float, float], ys: tuple[float, float], x_ticks, y_ticks, x_label, y_label, rules: bool = True
    ) -> None:
        self.xs, self.ys = xs, ys
        parts = []
        for tick in y_ticks(*ys):
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
            parts.append(_text(_LEFT - 7, y + 4, y_label(tick), "end"))
        for tick in x_ticks(*xs):
            x = self.x(tick)
            if rules:
                parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}"/>')
            parts.append(_text(x, _HEIGHT - _BOTTOM + 16, x_label(tick), "middle"))
        self._axes = parts

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.xs
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.ys
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    def svg(self, summary: str, x_name: str, y_name: str, marks: Sequence[str]) -> Markup:
        """The whole picture; ``summary`` is what a screen reader says of it."""
        names = [_text(_WIDTH - _RIGHT, _HEIGHT - 5, x_name, "end", "axis")]
        if y_name:
            names.append(_text(_LEFT + 6, _TOP + 16, y_name, "start", "axis"))
        return Markup(
            f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(summary)}">'
            f"{''.join([*self._axes, *marks, *names])}</svg>"
        )


def _fifths(low: float, high: float) -> list[float]:
    return [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\u00a0%"


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers, about ``count`` of them, that span low to high."""
    width = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(width / count))
    step = next(s * power for s in (1, 2, 5, 10) if width / count <= s * power * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _dot(x: float, y: float, told: str, css: str = "") -> str:
    kind = f"dot {css}".strip()
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{escape(told)}</title></circle>'


def _text(x: float, y: float, text: str, anchor: str, css: str = "tick") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
