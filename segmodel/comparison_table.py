"""A comparison as Markdown that also reads well as plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from segmodel.bootstrap import Interval
from segmodel.comparison import Comparison, Figure

HEADLINES = {"nll": "NLL", "paper_ndcg@5": "N@5 paper", "masked_ndcg@5": "N@5 masked"}
"""Metrics that are shown with their differences to the reference."""

_LEVELS = {
    "paper_hr@1": ("HR@1", 3),
    "paper_hr@5": ("HR@5", 3),
    "paper_ndcg@5": ("N@5", 3),
    "paper_hr@10": ("HR@10", 3),
    "paper_ndcg@10": ("N@10", 3),
    "masked_hr@1": ("m HR@1", 3),
    "masked_hr@5": ("m HR@5", 3),
    "masked_ndcg@10": ("m N@10", 3),
    "brier": ("Brier", 3),
    "watch_error_s": ("error s", 2),
    "xauc": ("XAUC", 3),
    "completion_auc": ("AUC", 3),
    "completes_ece": ("ECE", 3),
}
"""Means that a second table shows; ``m`` stands for the masked protocol, AUC and ECE are of P(completes)."""

_GROUPS = ("all", "cold video", "cold user")

Table = Mapping[str, Mapping[str, Figure]]


def markdown(comparison: Comparison, cuts: Sequence[str]) -> str:
    """For each cut and group of views a table of differences, and for all views one of means."""
    blocks = []
    for cut in cuts:
        for group in _GROUPS:
            table = comparison.table(cut, group)
            if not table:
                continue
            count = table[comparison.reference]["nll"]
            views = "all views" if group == "all" else f"views of {group}s"
            blocks.append(
                f"**{cut}, {views}** ({count.views:,} of {count.users:,} users). Δ is the difference to "
                f"{comparison.reference} with its 95 % interval over users; * where that leaves zero out."
            )
            blocks.append(_aligned(_differences(table)))
            if group == "all":
                blocks.append(_aligned(_levels(table)))
    return "\n\n".join(blocks) + "\n"


def _differences(table: Table) -> list[list[str]]:
    shown = {m: title for m, title in HEADLINES.items() if any(f[m].views for f in table.values())}
    rows = [["model", *(cell for title in shown.values() for cell in (title, f"Δ {title}"))]]
    for model, figures in table.items():
        rows.append([model, *(cell for m in shown for cell in (_mean(figures[m], 4), _difference(figures[m])))])
    return rows


def _levels(table: Table) -> list[list[str]]:
    rows = [["model", *(title for title, _ in _LEVELS.values())]]
    for model, figures in table.items():
        rows.append([model, *(_number(figures[m].mean, digits) for m, (_, digits) in _LEVELS.items())])
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


def _difference(figure: Figure) -> str:
    if math.isnan(figure.difference):
        return "–"
    star = "*" if Interval(figure.difference, figure.low, figure.high).clear else " "
    return f"{figure.difference:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]{star}"
