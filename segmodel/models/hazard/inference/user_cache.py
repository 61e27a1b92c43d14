"""What a model keeps of a user between predictions."""

from __future__ import annotations

from dataclasses import dataclass

from segfeat.types import Float32, Float64
from segmodel.data.views import Rows
from segmodel.models.hazard.features import Past
from segmodel.models.hazard.inference.stacked_networks import UserState


@dataclass(frozen=True, eq=False)
class Moment:
    """One user at one moment, whatever video comes next.

    Attributes
    ----------
    history : tuple of int
        First and one-past-last row of the past that is known then.
    time_ms : int
    context : tuple of (name, category or None)
    user : UserState
    viewed : int64 (H,)
        Rows of the store with the newest segments viewed.
    evidence : float32 (3, H)
        left - h, h (1 - h) and h of each.
    deviation : float64 (10,)
        b of the user filter.
    """

    history: tuple[int, int]
    time_ms: int
    context: tuple[tuple[str, str | None], ...]
    user: UserState
    viewed: Rows
    evidence: Float32
    deviation: Float64


@dataclass(eq=False)
class Memory:
    """A past as one set of statistics describes it, its surprises for the filter, and the last moment asked for."""

    past: Past
    surprises: Float64
    moment: Moment | None = None

    def __len__(self) -> int:
        """Number of views whose surprises are known; where the past has grown, the first of its views."""
        return len(self.surprises) - 1
