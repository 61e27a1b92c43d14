"""Hazard, survival, exit probabilities and expected watch time: pure functions on arrays.

hazard h_s = P(leave in segment s | reached s)
skip_probability_s = h_s · prod_{j<s}(1 - h_j)
survival_s = prod_{j<=s}(1 - h_j)
completion = survival of the last segment

The exit slots are the N segments and slot N, completion; their probabilities sum to 1. Array letters: B views,
S segments (padded), S + 1 slots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.types import Bool, Float64

Array = npt.NDArray[Any]


def segment_mask(segments: Array, width: int) -> Bool:
    """(B, width) True where a slot is one of the view's N real segments."""
    return np.arange(width)[None, :] < np.asarray(segments)[:, None]


def slots_from_hazard(hazard: Array, segments: Array) -> Float64:
    """Exit probabilities (B, S + 1) from hazards (B, S) in [0, 1]; slot N is completion, later slots are 0."""
    mask = segment_mask(segments, hazard.shape[1])
    stay = np.where(mask, 1.0 - hazard, 1.0)
    survival = np.cumprod(stay, axis=1)
    before = np.concatenate([np.ones((len(hazard), 1)), survival[:, :-1]], axis=1)
    slots = np.zeros((hazard.shape[0], hazard.shape[1] + 1))
    slots[:, :-1] = np.where(mask, hazard * before, 0.0)
    slots[np.arange(len(hazard)), segments] = survival[:, -1]
    return slots


def hazard_from_slots(slots: Array, segments: Array) -> Float64:
    """Hazards (B, S) from exit probabilities (B, S + 1); 0 on padding and where the segment is never reached."""
    width = slots.shape[1] - 1
    mask = segment_mask(segments, width)
    # Sums from the far end keep the digits that 1 - cumsum would lose.
    reached = np.cumsum(slots[:, ::-1], axis=1)[:, ::-1][:, :-1]
    hazard = np.divide(slots[:, :-1], reached, out=np.zeros_like(reached), where=reached > 0)
    return np.where(mask, np.clip(hazard, 0.0, 1.0), 0.0)


def survival_from_hazard(hazard: Array, segments: Array) -> Float64:
    """P(watched past segment s), (B, S); on padding the survival of the last real segment."""
    mask = segment_mask(segments, hazard.shape[1])
    return np.cumprod(np.where(mask, 1.0 - hazard, 1.0), axis=1, dtype=np.float64)


def span_midpoints_s(picture_s: Array, width: int, segment_s: float) -> Float64:
    """(start + end) / 2 of every segment in seconds, (B, width); the last segment ends with the picture."""
    start = np.arange(width, dtype=np.float64)[None, :] * segment_s
    middle: Float64 = (start + np.minimum(start + segment_s, np.asarray(picture_s)[:, None])) / 2.0
    return middle


def expected_watch_s(slots: Array, segments: Array, picture_s: Array, segment_s: float) -> Float64:
    """Expected watch time (B,) in s: sum_s skip_s · (start_s + end_s) / 2 + completion · duration."""
    width = slots.shape[1] - 1
    middles = span_midpoints_s(picture_s, width, segment_s)
    skip = np.where(segment_mask(segments, width), slots[:, :-1], 0.0)
    completion = slots[np.arange(len(slots)), segments]
    return (skip * middles).sum(axis=1) + completion * np.asarray(picture_s)
