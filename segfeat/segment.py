"""From a duration to segment spans and frame times: pure functions."""

from __future__ import annotations

import math

import numpy as np

from segfeat.types import Float64

SEGMENT_S = 5.0
"""Default segment length in seconds (He et al. 2025)."""

FRAME_POSITIONS = ("middle", "start")

_SLIVER_S = 1e-6
"""Rounding slack: a container duration of 10.0000001 s is two segments of 5 s, not three."""


def segment_count(duration_s: float, segment_s: float = SEGMENT_S) -> int:
    """Number of segments N = ceil(duration / segment length), at least 1.

    Raises
    ------
    ValueError
        If either length is not a positive finite number.
    """
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise ValueError(f"duration must be a positive number of seconds, not {duration_s!r}")
    if not (math.isfinite(segment_s) and segment_s > 0):
        raise ValueError(f"segment length must be a positive number of seconds, not {segment_s!r}")
    return max(1, math.ceil((duration_s - _SLIVER_S) / segment_s))


def segment_spans(duration_s: float, segment_s: float = SEGMENT_S) -> Float64:
    """Half-open spans (N, 2) in seconds that tile [0, duration); the last one may be shorter.

    Raises
    ------
    ValueError
        If either length is not a positive finite number.
    """
    n = segment_count(duration_s, segment_s)
    starts = np.arange(n, dtype=np.float64) * segment_s
    ends = np.append(starts[1:], duration_s)
    return np.stack([starts, ends], axis=1)


def frame_times(spans_s: Float64, frames_per_segment: int = 1, position: str = "middle") -> Float64:
    """Times (N, F) in seconds at which a segment's pictures are taken.

    Picture k of F lies at start + (k + 1/2) · length / F (``middle``) or at start + k · length / F (``start``, the
    paper's choice).

    Raises
    ------
    ValueError
        If ``frames_per_segment`` is below 1 or ``position`` unknown.
    """
    if frames_per_segment < 1:
        raise ValueError(f"frames per segment must be at least 1, not {frames_per_segment}")
    if position not in FRAME_POSITIONS:
        raise ValueError(f"unknown frame position {position!r}; valid are {', '.join(FRAME_POSITIONS)}")
    shift = 0.5 if position == "middle" else 0.0
    share = (np.arange(frames_per_segment) + shift) / frames_per_segment
    return spans_s[:, :1] + share[None, :] * (spans_s[:, 1:] - spans_s[:, :1])
