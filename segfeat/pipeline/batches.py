"""Filling an encoder's batches across the segments of several videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.types import Float32

if TYPE_CHECKING:
    from segfeat.encoders import Encoder


class Batches:
    """Collects items for one encoder and writes what comes out where it belongs.

    Items enter in the order of videos and segments, so that the same shard gives the same batches in every run.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._items: list[Any] = []
        self._targets: list[tuple[Float32, int]] = []

    def add(self, item: Any, features: Float32, row: int) -> None:
        """Encode ``item``, sooner or later, into ``features[row]``."""
        self._items.append(item)
        self._targets.append((features, row))
        if len(self._items) >= self.encoder.batch_size:
            self.flush()

    def flush(self) -> None:
        """Encode what waits, however little it is."""
        if not self._items:
            return
        vectors = self.encoder.encode(self._items)
        expected = (len(self._items), self.encoder.spec.dim)
        if np.shape(vectors) != expected:
            raise RuntimeError(f"{self.encoder.spec.name} gave {np.shape(vectors)} features, expected {expected}")
        for vector, (features, row) in zip(vectors, self._targets, strict=True):
            features[row] = vector
        self._items, self._targets = [], []
