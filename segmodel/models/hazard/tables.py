"""Tables: what a log taught, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from segfeat.types import Float32, Float64, Int64
from segmodel.data.traits import Traits
from segmodel.models.base import Arrays, named_arrays
from segmodel.models.hazard.effects import Effects
from segmodel.models.hazard.items import ItemTable


@dataclass(frozen=True, eq=False)
class Tables:
    """What a log taught.

    Attributes
    ----------
    rates : float64 (folds + 1, S, S + 1)
    item_total : float64 (V, SUMS)
    item_by_fold : float32 (V, folds, SUMS)
    quantiles : int64 (Q,)
        Of the views' times.
    mean_log_ratio : float64 (1,)
    channel_means : float64 (9,)
    effects : Effects
        Of categories of videos, users and views.
    """

    rates: Float64
    item_total: Float64
    item_by_fold: Float32
    quantiles: Int64
    mean_log_ratio: Float64
    channel_means: Float64
    effects: Effects = field(default_factory=Effects.none)

    def arrays(self) -> Arrays:
        """The tables by name."""
        return {**{name: getattr(self, name) for name in _PLAIN}, **self.effects.arrays()}

    @classmethod
    def of_arrays(cls, arrays: Arrays, traits: Traits) -> Tables:
        """The inverse of :meth:`arrays`."""
        plain = dict(zip(_PLAIN, named_arrays(arrays, *_PLAIN), strict=True))
        return cls(**plain, effects=Effects.of_arrays(arrays, traits))

    @property
    def items(self) -> ItemTable:
        """The sums per video."""
        return ItemTable(self.item_total, self.item_by_fold)

    @property
    def unseen_share(self) -> float:
        """The share of views that the next ones will have of new videos: that of videos met once (Good 1953)."""
        count = self.item_total[:, 0]
        return float((count == 1).sum() / max(count.sum(), 1.0))


_PLAIN = tuple(f.name for f in fields(Tables) if f.name != "effects")
