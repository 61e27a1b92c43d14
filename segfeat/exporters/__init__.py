"""Turning a store into files that other tools read.

A new format is one module with a function ``write`` and one line in `EXPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from segfeat.store.reader import FeatureStore

EXPORTERS: Mapping[str, str] = {
    "parquet": "segfeat.exporters.parquet:write",
    "npy": "segfeat.exporters.npy:write",
    "webdataset": "segfeat.exporters.webdataset:write",
}
"""Format -> function that writes a store's segments into an empty folder, as ``module:function``."""


def exporter(format_name: str) -> Callable[[FeatureStore, Path], None]:
    """The function that writes a format.

    Raises
    ------
    ValueError
        If there is none; names the valid formats.
    """
    if format_name not in EXPORTERS:
        raise ValueError(f"unknown export format {format_name!r}; valid are {', '.join(EXPORTERS)}")
    module, _, name = EXPORTERS[format_name].partition(":")
    return cast("Callable[[FeatureStore, Path], None]", getattr(import_module(module), name))
