"""Turning public data formats into stores without raw videos.

A new format is one module with a function ``read`` and one line in `IMPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from segfeat.importers.imported import Files, Imported

IMPORTERS: Mapping[str, str] = {
    "segmm": "segfeat.importers.segmm:read",
    "kuairand": "segfeat.importers.kuairand:read",
    "kuairec": "segfeat.importers.kuairec:read",
    "kuaisar": "segfeat.importers.kuaisar:read",
    "wechat": "segfeat.importers.wechat:read",
    "tenrec": "segfeat.importers.no_watch_time:tenrec",
    "microlens": "segfeat.importers.no_watch_time:microlens",
    "csv": "segfeat.importers.any_csv:read",
}
"""Format -> function from `Files` to `Imported`, as ``module:function``."""


def importer(format_name: str) -> Callable[[Files], Imported]:
    """The function that reads a format.

    Raises
    ------
    ValueError
        If there is none; names the valid formats.
    """
    if format_name not in IMPORTERS:
        raise ValueError(f"unknown log format {format_name!r}; valid are {', '.join(IMPORTERS)}")
    module, _, name = IMPORTERS[format_name].partition(":")
    return cast("Callable[[Files], Imported]", getattr(import_module(module), name))
