"""States of video segments that fitted networks have met: their projected content, kept between predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from segfeat.store.reader import FeatureStore
from segmodel.data.views import UNKNOWN, Rows
from segmodel.models.hazard.network import HazardNetwork
from segmodel.models.hazard.taste import ContentTaste

CAPACITY = 100_000
"""Segments kept at a time (about 1.2 kB each with three networks and modalities); when full, all are forgotten."""

_READ_ROWS = 4096


class SegmentStates:
    """Unit vectors of a store's segments, of every modality and network.

    Parameters
    ----------
    networks : sequence of HazardNetwork
        Whose weights change no more.
    modalities : sequence of str
    segments : int
        Of the store.

    Attributes
    ----------
    unit : float32 (slots, modalities, networks, heads, ·)
        Slot 0 is "no content".
    valid : bool (slots, modalities)
    """

    def __init__(self, networks: Sequence[HazardNetwork], modalities: Sequence[str], segments: int) -> None:
        self._networks, self._modalities = networks, modalities
        self._device = next(networks[0].parameters()).device
        # The last place is that of UNKNOWN, which is -1.
        self._slot = np.zeros(segments + 1, dtype=np.int64)
        self._met = 0
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

    def read(self, store: FeatureStore, rows: Rows) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """States (R + 1, networks, heads, ·) and validity (R + 1,) of R distinct rows by modality; row 0: nothing."""
        slots = torch.from_numpy(self.slots(store, np.concatenate([[UNKNOWN], rows])))
        unit, valid = self.unit[slots], self.valid[slots]
        return {m: unit[:, i] for i, m in enumerate(self._modalities)}, {
            m: valid[:, i] for i, m in enumerate(self._modalities)
        }

    def _make_room(self, capacity: int) -> None:
        kinds = len(self._modalities)
        taste = cast(ContentTaste, self._networks[0].taste[self._modalities[0]])
        shape = (len(self._networks), taste.heads, taste.project.out_features // taste.heads)
        # Zeros take up memory only once they are written over.
        self.unit = torch.zeros(capacity + 1, kinds, *shape)
        self.valid = torch.zeros(capacity + 1, kinds, dtype=torch.bool)
        self._met = 0

    @torch.no_grad()
    def _meet(self, store: FeatureStore, rows: Rows) -> None:
        slots = slice(self._met + 1, self._met + 1 + len(rows))
        for i, modality in enumerate(self._modalities):
            values, valid = store.gather(modality, rows)
            features = torch.from_numpy(values).to(self._device)
            for k, network in enumerate(self._networks):
                self.unit[slots, i, k] = cast(ContentTaste, network.taste[modality]).units(features).cpu()
            self.valid[slots, i] = torch.from_numpy(valid)
        self._slot[rows] = np.arange(slots.start, slots.stop)
        self._met += len(rows)
