"""A chart of a comparison: how far each model lies from the reference, with intervals. Plain SVG, no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.markdown import HEADLINES
from segmodel.evaluation.view_metrics import ALL_METRICS

_LABEL, _PANEL, _ROW, _TOP, _GAP, _LEAST = 230, 240, 26, 58, 40, 700
"""Widths and heights in pixels."""


def differences_svg(
    comparison: Comparison, cut: str | None = None, group: str = "all", headlines: Mapping[str, str] | None = None
) -> str:
    """One panel per headline metric: a dot per model at its difference to the reference, a bar for its interval.

    Parameters
    ----------
    comparison : Comparison
    cut : str, optional
        All cuts together where absent.
    group : str
    headlines : metric -> title, optional
        Those of the registry where absent.
    """
    cut = cut or comparison.cuts[-1]
    headlines = headlines or {m.name: m.full_title for m in HEADLINES}
    table = comparison.table(cut, group)
    models = [m for m in table if m != comparison.reference]
    metrics = [name for name in headlines if table[comparison.reference][name].views]
    height = _TOP + _ROW * len(models) + 32
    width = max(_LEAST, _LABEL + (_PANEL + _GAP) * len(metrics))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        _text(8, 20, f"Difference to {comparison.reference}: {cut}, {group} views", weight="600"),
        _text(width - 20, 20, "green better, red worse, grey: the 95 % interval holds zero", "end", size=11),
    ]
    parts += [_text(_LABEL - 20, _row(i) + 4, model, "end") for i, model in enumerate(models)]
    for k, metric in enumerate(metrics):
        left = _LABEL + k * (_PANEL + _GAP)
        title = f"{headlines[metric]} ({'less' if _less(metric) else 'more'} is better)"
        parts += _panel(left, title, metric, [table[m][metric] for m in models if metric in table[m]], height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(left: int, title: str, metric: str, figures: Sequence[Figure], height: int) -> list[str]:
    ticks = _ticks([v for f in figures for v in (f.difference, f.low, f.high) if not math.isnan(v)])
    less = _less(metric)

    def x(value: float) -> float:
        return left + _PANEL * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_text(left + _PANEL / 2, 40, title, "middle")]
    for tick in ticks:
        colour = "#888" if tick == 0 else "#e4e4e4"
        parts.append(
            f'<line x1="{x(tick):.1f}" y1="{_TOP - 8}" x2="{x(tick):.1f}" y2="{height - 26}" stroke="{colour}"/>'
        )
        parts.append(_text(x(tick), height - 12, f"{tick:+.3g}" if tick else "0", "middle", size=11))
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


def _less(metric: str) -> bool:
    """Whether less is better; measures of another registry are gains."""
    return metric in ALL_METRICS and ALL_METRICS[metric].less_is_better


def _row(index: int) -> int:
    return _TOP + _ROW * index + 8


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers, 3 to 6 of them, that span the values and zero."""
    low, high = min([0.0, *values]), max([0.0, *values])
    width = (high - low) or 1e-3
    power = 10.0 ** math.floor(math.log10(width / 4))
    step = next(s * power for s in (1, 2, 5, 10) if width / 4 <= s * power * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "400", size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
