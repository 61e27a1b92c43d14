"""A chart of a comparison: how far each model lies from the reference, with intervals. Plain SVG, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from segmodel.comparison import Comparison, Figure
from segmodel.comparison_table import HEADLINES

_LABEL, _PANEL, _ROW, _TOP, _GAP = 230, 250, 26, 58, 24
"""Widths and heights in pixels."""

_BETTER_IS_LESS = ("nll",)


def differences_svg(comparison: Comparison, cut: str | None = None, group: str = "all") -> str:
    """One panel per headline metric: a dot per model at its difference to the reference, a bar for its interval.

    Parameters
    ----------
    comparison : Comparison
    cut : str, optional
        All cuts together where absent.
    group : str
    """
    cut = cut or comparison.cuts[-1]
    table = comparison.table(cut, group)
    models = [m for m in table if m != comparison.reference]
    metrics = [name for name in HEADLINES if table[comparison.reference][name].views]
    height = _TOP + _ROW * len(models) + 20
    width = _LABEL + (_PANEL + _GAP) * len(metrics)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        _text(8, 20, f"Difference to {comparison.reference}: {cut}, {group} views", weight="600"),
    ]
    parts += [_text(_LABEL - 10, _row(i) + 4, model, anchor="end") for i, model in enumerate(models)]
    for k, metric in enumerate(metrics):
        left = _LABEL + k * (_PANEL + _GAP)
        parts += _panel(left, metric, [table[m][metric] for m in models], height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(left: int, metric: str, figures: Sequence[Figure], height: int) -> list[str]:
    ends = [abs(v) for f in figures for v in (f.difference, f.low, f.high) if not math.isnan(v)]
    reach = _round_up(max(ends, default=0.0) or 1e-3)
    less = metric in _BETTER_IS_LESS

    def x(value: float) -> float:
        return left + _PANEL / 2 * (1 + value / reach)

    parts = [
        _text(left + _PANEL / 2, 40, f"{HEADLINES[metric]} ({'less' if less else 'more'} is better)", anchor="middle"),
        f'<line x1="{x(0):.1f}" y1="{_TOP - 8}" x2="{x(0):.1f}" y2="{height - 16}" stroke="#999"/>',
    ]
    for tick, anchor in ((-reach, "start"), (0.0, "middle"), (reach, "end")):
        parts.append(_text(x(tick), height - 4, f"{tick:+.3g}" if tick else "0", anchor=anchor, size=11))
    for i, f in enumerate(figures):
        if math.isnan(f.difference):
            continue
        better = f.difference < 0 if less else f.difference > 0
        clear = f.low > 0 or f.high < 0
        colour = "#888" if not clear else "#1a7f5a" if better else "#b3402e"
        y = _row(i)
        if not math.isnan(f.low):
            parts.append(
                f'<line x1="{x(f.low):.1f}" y1="{y}" x2="{x(f.high):.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            )
        parts.append(
            f'<circle cx="{x(f.difference):.1f}" cy="{y}" r="4" fill="{colour}">'
            f"<title>{escape(f.model)}: {f.difference:+.4f} [{f.low:+.4f}, {f.high:+.4f}]</title></circle>"
        )
    return parts


def _row(index: int) -> int:
    return _TOP + _ROW * index + 8


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "400", size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
