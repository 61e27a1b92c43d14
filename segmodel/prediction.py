"""SkipPrediction: what every model says about a set of views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.survival import Array, expected_watch_s, hazard_from_slots, slots_from_hazard, survival_from_hazard
from segmodel.watch_distribution import WatchDistribution

_SMALL = 1e-9
"""Keeps the logit of a hazard of exactly 0 or 1 finite."""


@dataclass(frozen=True, eq=False)
class SkipPrediction:
    """For B views of at most S segments, where each user will leave.

    Attributes
    ----------
    segments : int (B,)
        N of each view; everything beyond it is padding.
    slots : float64 (B, S + 1)
        Exit probabilities; slot N is completion. Rows sum to 1.
    leave_score : float64 (B, S + 1)
        What ranking protocols sort by, descending: the exit probabilities, or for models that only rank, minus their
        scores. Models that do not know N score every slot.
    interest : float64 (B, S)
        Higher = stays: -logit of the hazard, or the score of a model that only ranks; 0 on padding.
    expected_watch_s : float64 (B,)
    knows_length : bool
        False for models that do not know N and rank all slots, as the paper's position references do.
    """

    segments: npt.NDArray[np.int64]
    slots: Float64
    leave_score: Float64
    interest: Float64
    expected_watch_s: Float64
    knows_length: bool = True
    watch: WatchDistribution | None = None
    """Of models that tell watch times apart inside a segment; see :func:`watch_distribution`."""

    @property
    def hazard(self) -> Float64:
        """(B, S) P(leave in s | reached s); 0 on padding."""
        return hazard_from_slots(self.slots, self.segments)

    @property
    def skip_probability(self) -> Float64:
        """(B, S) P(leaves in segment s); 0 on padding."""
        beyond = np.arange(self.slots.shape[1] - 1)[None, :] >= self.segments[:, None]
        return np.where(beyond, 0.0, self.slots[:, :-1])

    @property
    def survival(self) -> Float64:
        """(B, S) P(watches past segment s)."""
        return survival_from_hazard(self.hazard, self.segments)

    @property
    def completion(self) -> Float64:
        """(B,) P(watches to the end)."""
        return self.slots[np.arange(len(self.slots)), self.segments]


def from_hazard(hazard: Array, views: Views) -> SkipPrediction:
    """The prediction of a hazard model: ``hazard`` (B, S) in [0, 1] for B views."""
    slots = slots_from_hazard(hazard.astype(np.float64), views.segments)
    return from_slots(slots, views)


def from_slots(
    slots: Array,
    views: Views,
    leave_score: Array | None = None,
    interest: Array | None = None,
    knows_length: bool = True,
    watch: WatchDistribution | None = None,
    expected_s: Array | None = None,
) -> SkipPrediction:
    """The prediction of a model that gives exit probabilities (B, S + 1) for B views.

    Parameters
    ----------
    slots : float (B, S + 1)
        Rows sum to 1 over slots 0 .. N.
    views : Views
        The B views.
    leave_score : float (B, S + 1), optional
        What to rank by where that is not ``slots`` itself.
    interest : float (B, S), optional
        A ranking model's own scores; -logit(hazard) where absent.
    knows_length : bool
    watch : WatchDistribution, optional
        Where it is finer than ``slots``.
    expected_s : float (B,), optional
        A model's own expected watch time; that of ``slots`` where absent.

    Raises
    ------
    ValueError
        If a row is no distribution.
    """
    segments = views.segments.astype(np.int64)
    total = np.where(np.arange(slots.shape[1])[None, :] <= segments[:, None], slots, 0.0).sum(axis=1)
    # NaN compares false, so this finds it as well.
    wrong = np.flatnonzero(~((np.abs(total - 1.0) < 1e-6) & (slots >= 0).all(axis=1)))
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            f"exit probabilities of view {i} are no distribution over its {segments[i]} segments and completion: "
            f"they sum to {total[i]:.6f}, the least is {slots[i].min():.6f}"
        )
    if interest is None:
        hazard = np.clip(hazard_from_slots(slots, segments), _SMALL, 1.0 - _SMALL)
        interest = np.log1p(-hazard) - np.log(hazard)
    live = np.arange(slots.shape[1] - 1)[None, :] < segments[:, None]
    return SkipPrediction(
        segments=segments,
        slots=slots,
        leave_score=slots if leave_score is None else leave_score,
        interest=np.where(live, interest, 0.0),
        expected_watch_s=(
            expected_watch_s(slots, segments, views.picture_s, views.segment_s)
            if expected_s is None
            else np.asarray(expected_s, dtype=np.float64)
        ),
        knows_length=knows_length,
        watch=watch,
    )


def watch_distribution(prediction: SkipPrediction, views: Views) -> WatchDistribution:
    """When the users of the predicted views stop; inside a segment every moment is as likely, unless a model knows."""
    if prediction.watch is not None:
        return prediction.watch
    return WatchDistribution.of_slots(prediction.slots, prediction.segments, views.picture_s, views.segment_s)
