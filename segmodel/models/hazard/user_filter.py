"""A closed-form correction: how this user has differed so far from what the network expected of them.

The user's deviation b on the logit scale has a Gaussian prior over ten directions; one Newton step from the strictly
earlier views gives b = (I + sum w x x')^-1 sum x (left - h), w = h (1 - h).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float64
from segmodel.dataset import Dataset
from segmodel.models.hazard.rates import Outcomes, logit
from segmodel.views import Views

FILTER_VIEWS = 300
"""A filter looks at this many of the newest views, which bounds its cost."""

_LEVEL, _PLACE, _COLD, _SLOPE = 0.15, 0.2, 0.2, 0.1
"""Prior standard deviations, in logits: everywhere, at one place of a video, on unknown videos, per logit of hazard."""


def directions(views: Views, hazard: Float64, cold: Bool) -> Float64:
    """(V, S, 10) directions in which a user may deviate, scaled by their prior standard deviations."""
    s, n = np.arange(hazard.shape[1])[None, :], views.segments[:, None]
    to_end, cold = n - 1 - s, cold[:, None]
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
        (np.clip(logit(hazard) + 2.0, -3.0, 3.0), _SLOPE),
    )
    return np.stack([np.broadcast_to(x, hazard.shape) * scale for x, scale in scaled], axis=2)


def filter_users(data: Dataset, hazard: Float64, cold: Bool, past_hazard: Float64, past_cold: Bool) -> Float64:
    """Hazards (V, S) of the dataset's views, corrected for each user.

    Parameters
    ----------
    data : Dataset
    hazard : float (V, S)
        The network's, for the views.
    cold : bool (V,)
        Whether the view's video is unknown to the statistics.
    past_hazard : float (P, S)
        The network's, for the views of ``data.past``.
    past_cold : bool (P,)
    """
    outcomes = Outcomes.of(data.past, hazard.shape[1])
    x = directions(data.past, past_hazard, past_cold)
    surprise = np.where(outcomes.reached, outcomes.left - past_hazard, 0.0)
    weight = np.where(outcomes.reached, past_hazard * (1.0 - past_hazard), 0.0)
    k = x.shape[2]
    pull = np.einsum("ps,psk->pk", surprise, x)
    curvature = np.matmul((x * weight[..., None]).transpose(0, 2, 1), x).reshape(-1, k * k)
    sums = np.concatenate([np.zeros((1, k + k * k)), np.cumsum(np.concatenate([pull, curvature], axis=1), axis=0)])
    first, end = data.history.T
    seen = sums[end] - sums[np.maximum(first, end - FILTER_VIEWS)]
    b = np.linalg.solve(seen[:, k:].reshape(-1, k, k) + np.eye(k), seen[:, :k, None])[..., 0]
    shift = np.einsum("vk,vsk->vs", b, directions(data.views, hazard, cold))
    corrected: Float64 = expit(logit(hazard) + shift)
    return np.where(np.arange(hazard.shape[1])[None, :] < data.views.segments[:, None], corrected, 0.0)
