"""States of video segments that fitted networks have met: their projected content, kept between predictions."""

from __future__ import annotations

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, Float32
from segmodel.data.views import UNKNOWN, Rows
from segmodel.models.base import Arrays
from segmodel.models.hazard.members import Members

CAPACITY = 100_000
"""Segments kept at a time (about 1.2 kB each with three networks and modalities); when full, all are forgotten."""

_READ_ROWS = 4096
_ADDED_VARIANCE, _LEAST_LENGTH = np.float32(1e-5), np.float32(1e-12)
"""What torch adds to a variance that it divides by the root of, and the least length that it divides by."""


class SegmentStates:
    """Unit vectors of a store's segments, of every modality and network.

    Parameters
    ----------
    members : Members
        The networks.
    segments : int
        Of the store.

    Attributes
    ----------
    unit : float32 (slots, modalities, networks, heads, ·)
        Slot 0 is "no content".
    valid : bool (slots, modalities)
    """

    def __init__(self, members: Members, segments: int) -> None:
        self._widths, self._modalities, self._weights = members.widths, tuple(members.dims), members.weights
        # The last place is that of UNKNOWN, which is -1.
        self._slot = np.zeros(segments + 1, dtype=np.int64)
        self._make_room(CAPACITY)

    def slots(self, store: FeatureStore, rows: Rows) -> Rows:
        """Slots (R,) of segment rows of the store, which may repeat or be UNKNOWN; good until asked again."""
        slots: Rows = self._slot[rows]
        new = rows[(slots == 0) & (rows != UNKNOWN)]
        if not len(new):
            return slots
        new = np.unique(new)
        if self._met + len(new) >= len(self.unit):
            new = np.unique(rows[rows != UNKNOWN])
            self._slot[:] = 0
            self._make_room(max(CAPACITY, len(new)))
        for start in range(0, len(new), _READ_ROWS):
            self._meet(store, new[start : start + _READ_ROWS])
        slots = self._slot[rows]
        return slots

    def read(self, store: FeatureStore, rows: Rows) -> tuple[dict[str, Float32], dict[str, Bool]]:
        """States (R + 1, networks, heads, ·) and validity (R + 1,) of R distinct rows by modality; row 0: nothing."""
        slots = self.slots(store, np.concatenate([[UNKNOWN], rows]))
        unit, valid = self.unit[slots], self.valid[slots]
        return {m: unit[:, i] for i, m in enumerate(self._modalities)}, {
            m: valid[:, i] for i, m in enumerate(self._modalities)
        }

    def _make_room(self, capacity: int) -> None:
        kinds, w = len(self._modalities), self._widths
        # Zeros take up memory only once they are written over.
        self.unit = np.zeros((capacity + 1, kinds, len(self._weights), w.taste_heads, w.taste_dim), dtype=np.float32)
        self.valid = np.zeros((capacity + 1, kinds), dtype=bool)
        self._met = 0

    def _meet(self, store: FeatureStore, rows: Rows) -> None:
        slots = slice(self._met + 1, self._met + 1 + len(rows))
        for i, modality in enumerate(self._modalities):
            values, self.valid[slots, i] = store.gather(modality, rows)
            for k, weights in enumerate(self._weights):
                self.unit[slots, i, k] = self._units(values, weights, f"taste.{modality}.project")
        self._slot[rows] = np.arange(slots.start, slots.stop)
        self._met += len(rows)

    def _units(self, x: Float32, weights: Arrays, layer: str) -> Float32:
        """Content (R, dim) as unit vectors (R, heads, ·), as :meth:`ContentTaste.units` makes them."""
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + _ADDED_VARIANCE)
        x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        x = x.reshape(len(x), self._widths.taste_heads, -1)
        unit: Float32 = x / np.maximum(np.linalg.norm(x, axis=2, keepdims=True), _LEAST_LENGTH)
        return unit
