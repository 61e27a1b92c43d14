"""How benchmarks write figures, settings and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segmodel.bootstrap import Interval
from segmodel.comparison import Figure


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    first, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([first, "|" + "---|" * len(rows[0]), *others])


def mean(figure: Figure) -> str:
    """Mean over seeds, with the standard deviation where they differ."""
    if math.isnan(figure.mean):
        return "–"
    return f"{figure.mean:.4f}" + (f" ± {figure.std:.4f}" if figure.std > 0 else "")


def star(figure: Figure) -> str:
    """A star where the interval of the difference to the reference leaves zero out."""
    return "*" if Interval(figure.difference, figure.low, figure.high).clear else ""


def gap(figure: Figure) -> str:
    """Difference to the reference with its interval."""
    if math.isnan(figure.difference):
        return "–"
    return f"{figure.difference:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]{star(figure)}"


def plain_settings(settings: Mapping[str, Any] | None, left_out: Collection[str] = ()) -> str:
    """``key=value`` for all settings but those ``left_out``; a dash where there are none to tell of."""
    if settings is None:
        return "–"
    return ", ".join(f"{key}={_plain(value)}" for key, value in settings.items() if key not in left_out)


def _plain(value: Any) -> str:
    return "+".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
