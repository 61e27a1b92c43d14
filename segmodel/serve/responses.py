"""Answers as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from segmodel.serve.scorer import Answer

_DECIMALS = 9


def predictions(answer: Answer, segments: bool) -> list[dict[str, Any]]:
    """One table per video, as :class:`~segmodel.serve.schemas.VideoPrediction` describes it."""
    views, found = answer.views, answer.prediction
    if not len(views):
        return []
    leaves = found.skip_probability
    likeliest = leaves.argmax(axis=1)
    columns = {
        "video_known": views.store_row >= 0,
        "duration_s": views.picture_s,
        "expected_watch_s": found.expected_watch_s,
        "watch_ratio": found.expected_watch_s / views.picture_s,
        "completion": found.completion,
    }
    skip = {
        "segment": likeliest,
        "start_s": likeliest * views.segment_s,
        "end_s": views.end_s(np.arange(len(views)), likeliest),
        "probability": leaves[np.arange(len(views)), likeliest],
    }
    rows: list[dict[str, Any]] = [
        {"video_id": video_id, **row, "skip": where}
        for video_id, row, where in zip(answer.video_ids, _rows(columns), _rows(skip), strict=True)
    ]
    if segments:
        for row, table in zip(rows, _segments(answer), strict=True):
            row["segments"] = table
    return rows


def encode(table: dict[str, Any]) -> bytes:
    """Compact JSON."""
    return orjson.dumps(table)


def _segments(answer: Answer) -> list[dict[str, list[float]]]:
    views, found = answer.views, answer.prediction
    start_s = np.arange(found.interest.shape[1]) * views.segment_s
    columns = {
        "start_s": np.broadcast_to(start_s, found.interest.shape),
        "end_s": views.end_s(np.arange(len(views))[:, None], np.arange(found.interest.shape[1])),
        "interest": found.interest,
        "skip_probability": found.skip_probability,
        "survival": found.survival,
    }
    rounded = {name: _rounded(column) for name, column in columns.items()}
    return [{name: column[i, :n].tolist() for name, column in rounded.items()} for i, n in enumerate(views.segments)]


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [_rounded(column).tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _rounded(column: np.ndarray) -> np.ndarray:
    """Numbers as they are sent: JSON has none that are not finite."""
    if not np.isfinite(column).all():
        raise ValueError("a prediction is not finite")
    return column if column.dtype == bool else np.round(column, _DECIMALS)
