"""Effective views without a second training: a survival curve already says how likely a view gets that far."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.recommend.effective import EffectiveViews
from segmodel.survival import survival_from_hazard


def effective_probability(survival: Float64, views: Views, effective: EffectiveViews) -> Float64:
    """P(effective) of V views: the probability of watching past the median of the bucket.

    Inside a segment exits are taken as equally likely at every moment, as for the expected watch time. What lies beyond
    the end of the video the curve does not know: there, it is P(completes) times the share of effective views among the
    bucket's completed training views.

    Parameters
    ----------
    survival : float (V, S)
        P(watches past segment s).
    views : Views
        Their watch times play no part.
    effective : EffectiveViews

    Returns
    -------
    float64 (V,)
        0 .. 1.
    """
    segment, part, past_end, beyond = _threshold(views, effective)
    rows = np.arange(len(views))
    after = survival[rows, segment]
    before = np.where(segment > 0, survival[rows, np.maximum(segment - 1, 0)], 1.0)
    completion = survival[rows, views.segments - 1]
    return np.where(past_end, completion * beyond, before + (after - before) * part)


def effective_parts(hazard: Float64, views: Views, effective: EffectiveViews) -> tuple[Float64, Float64]:
    """How each segment counts towards :func:`effective_probability`.

    Parameters
    ----------
    hazard : float (V, S)
        P(leaves in s | reached s).
    views : Views
    effective : EffectiveViews

    Returns
    -------
    weight : float64 (V, S)
        The share of the segment that must be watched, 0 .. 1.
    score : float64 (V, S)
        ln P(stays through that share | reached the segment). The sum of all, and ln of the share beyond the end where
        that counts, is ln P(effective).
    """
    segment, part, past_end, _ = _threshold(views, effective)
    place = np.arange(hazard.shape[1])[None, :]
    last = np.where(past_end, views.segments - 1, segment)[:, None]
    share = np.where(past_end, 1.0, part)[:, None]
    weight = np.where(place < last, 1.0, np.where(place == last, share, 0.0))
    return weight, np.log1p(-np.minimum(hazard * weight, 1.0 - 1e-12))


def interest_survival(interest: Float64, views: Views) -> Float64:
    """Survival (V, S) from the interest of a hazard model, which is -logit of its hazards."""
    return survival_from_hazard(expit(-interest), views.segments)


def _threshold(views: Views, effective: EffectiveViews) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Segment of the moment that must be passed, the part of it before that moment; whether it lies beyond the end."""
    bucket = effective.bucket(views.duration_ms)
    ratio = effective.median[bucket]
    at_s = np.minimum(ratio, 1.0) * views.picture_s
    segment = np.minimum((at_s // views.segment_s).astype(np.int64), views.segments - 1)
    start_s = segment * views.segment_s
    length_s = np.minimum(start_s + views.segment_s, views.picture_s) - start_s
    part = np.clip((at_s - start_s) / np.maximum(length_s, 1e-9), 0.0, 1.0)
    return segment, part, ratio >= 1.0, effective.beyond[bucket]
