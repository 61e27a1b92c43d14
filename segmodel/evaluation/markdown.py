"""Figures, settings, tables and whole comparisons as Markdown that also reads well as plain text."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segmodel.evaluation.bootstrap import ROUGH_USERS, Interval, holm
from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.view_metrics import ALL_METRICS, METRICS

HEADLINES = tuple(METRICS[name] for name in ("nll", "paper_ndcg@5", "masked_ndcg@5"))
"""Metrics that are shown with their differences to the reference."""

_LEVELS = tuple(m for m in ALL_METRICS.values() if m not in HEADLINES)
"""Means that a second table shows; AUC and ECE are of P(completes), "first" of P(leaves first)."""

SIGNIFICANT = 0.05

_GROUPS = ("all", "cold video", "cold user")

Table = Mapping[str, Mapping[str, Figure]]


def comparison_markdown(comparison: Comparison, cuts: Sequence[str] | None = None) -> str:
    """For each cut and group of views a table of differences, and for all views one of means."""
    blocks = []
    for cut in comparison.cuts if cuts is None else cuts:
        for group in _GROUPS:
            table = comparison.table(cut, group)
            if not table:
                continue
            count = table[comparison.reference]["nll"]
            views = "all views" if group == "all" else f"views of {group}s"
            over = resampled(max(f.seeds for figures in table.values() for f in figures.values()))
            blocks.append(
                f"**{cut}, {views}** ({count.views:,} of {count.users:,} users). Δ is the difference to "
                f"{comparison.reference} with its 95 % interval over {over}; {STARS}.{rough(count.users)}"
            )
            blocks.append(_aligned(_differences(table)))
            if group == "all":
                blocks.append(_aligned(_levels(table)))
    return "\n\n".join(blocks) + "\n"


def _differences(table: Table) -> list[list[str]]:
    shown = [m for m in HEADLINES if any(f[m.name].views for f in table.values())]
    rows = [["model", *(cell for m in shown for cell in (m.full_title, f"Δ {m.full_title}"))]]
    together = iter(holm([figures[m.name].p for figures in table.values() for m in shown]))
    for model, figures in table.items():
        found = [figures[m.name] for m in shown]
        cells = [(_mean(f, 4), _difference(f, next(together))) for f in found]
        rows.append([model, *(text for pair in cells for text in pair)])
    return rows


def _levels(table: Table) -> list[list[str]]:
    rows = [["model", *(f"{m.full_title} {m.unit}".rstrip() for m in _LEVELS)]]
    for model, figures in table.items():
        rows.append([model, *(_number(figures[m.name].mean, m.digits) for m in _LEVELS)])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    first, *others = (
        "| "
        + " | ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    )
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([first, rule, *others])


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _mean(figure: Figure, digits: int) -> str:
    spread = "" if math.isnan(figure.std) else f" ± {figure.std:.{digits}f}"
    return _number(figure.mean, digits) + spread


def _difference(figure: Figure, together: float) -> str:
    if math.isnan(figure.difference):
        return "–"
    return f"{_interval(figure)}{star(figure, together):2}"


def _interval(figure: Figure) -> str:
    return f"{figure.difference:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"


def resampled(seeds: int) -> str:
    """What intervals carry where the most trainings of a model are ``seeds``."""
    return "users and seeds" if seeds > 1 else "users (one training each: without training noise)"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    first, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([first, "|" + "---|" * len(rows[0]), *others])


def mean(figure: Figure) -> str:
    """Mean over seeds, with the standard deviation where they differ."""
    if math.isnan(figure.mean):
        return "–"
    return f"{figure.mean:.4f}" + (f" ± {figure.std:.4f}" if figure.std > 0 else "")


STARS = "* where that leaves zero out, ** where it still does among all differences of the table (Holm, 5 %)"
"""What :func:`stars` mean."""


def star(figure: Figure, together: float = math.nan) -> str:
    """:func:`stars` of a figure's difference to the reference."""
    return stars(Interval(figure.difference, figure.low, figure.high), together)


def stars(interval: Interval, together: float = math.nan) -> str:
    """A star where the interval of a difference leaves zero out.

    Two where that holds for all differences of a table together: ``together`` is the p-value after Holm's adjustment.
    """
    if not interval.clear:
        return ""
    return "**" if together < SIGNIFICANT else "*"


def gap(figure: Figure, together: float = math.nan) -> str:
    """Difference to the reference with its interval, and :func:`star`."""
    return "–" if math.isnan(figure.difference) else _interval(figure) + star(figure, together)


def rough(users: int) -> str:
    """A warning where an interval stands on few users; else empty."""
    return f" Fewer than {ROUGH_USERS} users: the interval is rough." if users < ROUGH_USERS else ""


def plain_settings(settings: Mapping[str, Any] | None, left_out: Collection[str] = ()) -> str:
    """``key=value`` for all settings but those ``left_out``; a dash where there are none to tell of."""
    if settings is None:
        return "–"
    return ", ".join(f"{key}={_plain(value)}" for key, value in settings.items() if key not in left_out)


def _plain(value: Any) -> str:
    return "+".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
