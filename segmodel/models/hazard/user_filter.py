"""A closed-form correction: how this user has differed so far from what the network expected of them.

The user's deviation b on the logit scale has a Gaussian prior over ten directions; one Newton step from the strictly
earlier views gives b = (I + sum w x x')^-1 sum x (left - h), w = h (1 - h).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float64
from segmodel.data.dataset import Dataset
from segmodel.data.views import Rows, Views
from segmodel.models.hazard.rates import Outcomes, logit
from segmodel.survival import Array

FILTER_VIEWS = 300
"""A filter looks at this many of the newest views, which bounds its cost."""

DIRECTIONS = 10

_LEVEL, _PLACE, _COLD, _SLOPE = 0.15, 0.2, 0.2, 0.1
"""Prior standard deviations, in logits: everywhere, at one place of a video, on unknown videos, per logit of hazard."""


def place_directions(s: Array, n: Array, cold: Bool) -> Float64:
    """(..., 9) directions that the place in the video decides, of segments ``s`` of videos with ``n``; broadcast."""
    to_end = n - 1 - s
    scaled = (
        (s < n, _LEVEL),
        ((s == 0) & (to_end > 0) & (n <= 4), _PLACE),
        ((s == 0) & (n > 4), _PLACE),
        ((s > 0) & (s <= 3) & (to_end > 0), _PLACE),
        ((s > 3) & (to_end > 2), _PLACE),
        ((s > 3) & (to_end > 0) & (to_end <= 2), _PLACE),
        (to_end == 0, _PLACE),
        (cold & (s == 0), _COLD),
        (cold & (s > 0), _COLD),
    )
    return np.stack([np.broadcast_to(x, to_end.shape) * scale for x, scale in scaled], axis=-1)


def directions(views: Views, hazard: Float64, cold: Bool) -> Float64:
    """(V, S, 10) directions in which a user may deviate, scaled by their prior standard deviations."""
    place = place_directions(np.arange(hazard.shape[1])[None, :], views.segments[:, None], cold[:, None])
    return np.concatenate([place, _slope(logit(hazard))[..., None]], axis=2)


def surprise_sums(past: Views, hazard: Float64, cold: Bool) -> Float64:
    """Prefix sums (P + 1, 110) of sum x (left - h) and sum w x x' over past views.

    Parameters
    ----------
    past : Views
        P watched views, sorted by user and time.
    hazard : float (P, S)
        The network's, for each of them.
    cold : bool (P,)
        Whether the view's video is unknown to the statistics.
    """
    outcomes = Outcomes.of(past, hazard.shape[1])
    x = directions(past, hazard, cold)
    surprise = np.where(outcomes.reached, outcomes.left - hazard, 0.0)
    weight = np.where(outcomes.reached, hazard * (1.0 - hazard), 0.0)
    pull = np.einsum("ps,psk->pk", surprise, x)
    curvature = np.matmul((x * weight[..., None]).transpose(0, 2, 1), x).reshape(-1, DIRECTIONS**2)
    terms = np.concatenate([pull, curvature], axis=1)
    return np.concatenate([np.zeros((1, terms.shape[1])), np.cumsum(terms, axis=0)])


def filter_users(data: Dataset, hazard: Float64, cold: Bool, sums: Float64) -> Float64:
    """Hazards (V, S) of the dataset's views, corrected for each user.

    Parameters
    ----------
    data : Dataset
    hazard : float (V, S)
        The network's, for the views.
    cold : bool (V,)
    sums : float (P + 1, 110)
        :func:`surprise_sums` of ``data.past``.
    """
    b = deviations(data.history, sums)
    shift = np.matmul(directions(data.views, hazard, cold), b[..., None])[..., 0]
    corrected: Float64 = expit(logit(hazard) + shift)
    return np.where(np.arange(hazard.shape[1])[None, :] < data.views.segments[:, None], corrected, 0.0)


def deviations(history: Rows, sums: Float64) -> Float64:
    """How the users of some histories (V, 2) deviate: b (V, 10)."""
    first, end = history.T
    seen = sums[end] - sums[np.maximum(first, end - FILTER_VIEWS)]
    precision = seen[:, DIRECTIONS:].reshape(-1, DIRECTIONS, DIRECTIONS) + np.eye(DIRECTIONS)
    b: Float64 = np.linalg.solve(precision, seen[:, :DIRECTIONS, None])[..., 0]
    return b


def deviate(hazard: Float64, place: Array, b: Float64) -> Float64:
    """Hazards (T,) corrected for one user, whose b (10,) it is; ``place`` (T, 9) is :func:`place_directions`."""
    odds = logit(hazard)
    corrected: Float64 = expit(odds + place @ b[:-1] + _slope(odds) * b[-1])
    return corrected


def _slope(odds: Float64) -> Float64:
    """The direction that the hazard itself decides."""
    return np.clip(odds + 2.0, -3.0, 3.0) * _SLOPE
