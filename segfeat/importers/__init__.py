"""Turning public data formats into stores without raw videos."""

from __future__ import annotations

from collections.abc import Mapping

from segfeat.interactions import COLUMNS

FORMATS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "segmm": {**COLUMNS, "watch_ms": ("playing_time",)},
    "kuairand": {**COLUMNS, "video": ("video_id",), "watch_ms": ("play_time_ms",)},
    "csv": COLUMNS,
}
"""Log formats by name: the column names of each field. ``csv`` takes any of the names that the others use."""
