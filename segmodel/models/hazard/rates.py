"""The base hazard: how readily anybody leaves, by place in the video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float64
from segmodel.data.views import Views

_LEVELS = ((12, 1), (20, 6))
"""Coarse to fine: segments counted up to the first number, distance to the end up to the second."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happened in each segment of some views: (V, S) whether it was reached, and whether the user left there."""

    reached: Bool
    left: Bool

    @classmethod
    def of(cls, views: Views, width: int) -> Outcomes:
        """Outcomes of watched views; views with unknown watch time reach nothing."""
        s = np.arange(width)[None, :]
        last = np.minimum(views.exit, views.segments - 1)[:, None]
        return cls(s <= last, (s == views.exit[:, None]) & ~views.completed[:, None])

    def residuals(self, hazard: Float64, segments: np.ndarray) -> Float64:
        """(V, 6): sums over reached segments of left - h, then of h (1 - h), for first, middle and last segments."""
        surprise = np.where(self.reached, self.left - hazard, 0.0)
        weight = np.where(self.reached, hazard * (1 - hazard), 0.0)
        parts = places(segments, hazard.shape[1])
        return np.stack([(x * part).sum(axis=1) for x in (surprise, weight) for part in parts], axis=1)


def places(segments: np.ndarray, width: int) -> tuple[Bool, Bool, Bool]:
    """First, middle and last segments, (V, S) each; a single segment is a last one."""
    s, end = np.arange(width)[None, :], segments[:, None] - 1
    return (s == 0) & (s < end), (s > 0) & (s < end), s == end


def leaving_rates(views: Views, fold: np.ndarray, folds: int, prior_events: float, width: int) -> Float64:
    """Leaving rates per full segment by (segment, N), with each fold left out, and last with none left out.

    A piecewise-exponential model: events over the exact time watched, so that a short last segment is right. Each
    level's ratio to the coarser one has a Gamma prior worth ``prior_events`` events: (events + k) / (expected + k).

    Parameters
    ----------
    views : Views
        Watched training views.
    fold : int (V,)
        In 0 .. folds - 1.
    folds, width : int
    prior_events : float

    Returns
    -------
    float64 (folds + 1, width, width + 1)
    """
    return rates_from(*leaving_sums(views, fold, folds, width), prior_events)


def leaving_sums(views: Views, fold: np.ndarray, folds: int, width: int) -> tuple[Float64, Float64]:
    """Events and exposure (folds, width, width + 1) of some views; those of all are the sums over any partition."""
    shape = (folds, width, width + 1)
    events, exposure = np.zeros(shape), np.zeros(shape)
    for rows, part in views.parts():
        outcomes = Outcomes.of(part, width)
        view, s = np.nonzero(outcomes.reached)
        segment_ms = part.segment_s * 1000
        watched_ms = np.minimum(part.watch_ms, part.picture_s * 1000)[view] - s * segment_ms
        cell = np.ravel_multi_index((fold[rows][view], s, part.segments[view]), shape)
        events += np.bincount(cell, outcomes.left[view, s], events.size).reshape(shape)
        exposure += np.bincount(cell, np.clip(watched_ms, 1, segment_ms) / segment_ms, exposure.size).reshape(shape)
    return events, exposure


def rates_from(events: Float64, exposure: Float64, prior_events: float) -> Float64:
    """The rates (folds + 1, width, width + 1) that sums over all views give; see `leaving_rates`."""
    width = events.shape[1]
    events, exposure = (np.concatenate([x.sum(axis=0) - x, x.sum(axis=0)[None]]) for x in (events, exposure))

    segment, n = np.meshgrid(np.arange(width), np.arange(width + 1), indexing="ij")
    real = segment < n
    to_end = np.clip(n - 1 - segment, 0, width)
    overall = (events.sum(axis=(1, 2)) + prior_events * 0.1) / (exposure.sum(axis=(1, 2)) + prior_events)
    rate = np.ones_like(events) * overall[:, None, None]
    for most_segments, most_to_end in _LEVELS:
        level = np.minimum(segment, most_segments) + 100 * np.minimum(to_end, most_to_end)
        finer = np.ones_like(rate)
        for cell_level in np.unique(level[real]):
            c = (level == cell_level) & real
            expected = (rate[:, c] * exposure[:, c]).sum(axis=1)
            ratio = (events[:, c].sum(axis=1) + prior_events) / (expected + prior_events)
            finer[:, c] = rate[:, c] * ratio[:, None]
        rate = finer
    return rate


def base_hazard(views: Views, rates: Float64, fold: np.ndarray) -> Float64:
    """(V, S) hazard h = 1 - exp(-rate · segment length), under each view's fold of ``rates``; 0 beyond N."""
    width = rates.shape[1]
    s = np.arange(width)[None, :]
    length = np.clip(views.picture_s[:, None] / views.segment_s - s, 0.0, 1.0)
    hazard: Float64 = -np.expm1(-rates[fold[:, None], s, views.segments[:, None]] * length)
    return np.where(s < views.segments[:, None], hazard, 0.0)


def spread(shift: np.ndarray, segments: np.ndarray, width: int) -> np.ndarray:
    """(V, S) of shifts (V, 3) for first, middle and last segments; 0 beyond N."""
    first, middle, last = places(segments, width)
    return np.select([first, middle, last], [shift[:, [i]] for i in range(3)], 0.0)


def shifted(hazard: Float64, shift: Float64, segments: np.ndarray) -> Float64:
    """Hazards (V, S) whose log-odds are moved by ``shift`` (V, 3); 0 beyond N."""
    moved: Float64 = expit(logit(hazard) + spread(shift, segments, hazard.shape[1]))
    return np.where(hazard > 0, moved, 0.0)


def logit(hazard: Float64) -> Float64:
    """Log-odds, finite at 0 and 1."""
    h = np.clip(hazard, 1e-7, 1 - 1e-7)
    odds: Float64 = np.log(h) - np.log1p(-h)
    return odds
