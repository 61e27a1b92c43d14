"""Log: a watch log in any form that a library user may have it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from segfeat.interactions import Interactions
from segfeat.log_file import log_of_frame, read_interactions

if TYPE_CHECKING:
    import pandas as pd

Log: TypeAlias = "Interactions | pd.DataFrame | str | Path | Sequence[str | Path]"
"""A watch log: read already, as a table, or as one or more files."""


def read_log(
    log: Log,
    watch_needed: bool = True,
    context: Sequence[str] = (),
    unit_ms: Mapping[str, float] | None = None,
) -> Interactions:
    """The log behind any of its forms, with those of some context columns that it has; arguments as there.

    Raises
    ------
    ValueError
        If it lacks a column, or a file cannot be read.
    """
    import pandas as pd

    if isinstance(log, Interactions):
        return log
    if isinstance(log, pd.DataFrame):
        return log_of_frame(log, watch_needed, context, unit_ms)
    return read_interactions(log, watch_needed, context=context, unit_ms=unit_ms, context_needed=False)
