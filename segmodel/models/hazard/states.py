"""States of video segments that fitted networks have met: their projected content, kept between predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from segfeat.store import FeatureStore
from segmodel.models.hazard.network import ContentTaste, HazardNetwork
from segmodel.views import Rows

CAPACITY = 100_000
"""Segments kept at a time (about 1.2 kB each with three networks and modalities); when full, all are forgotten."""

_READ_ROWS = 4096


class SegmentStates:
    """Unit vectors of a store's segments by modality, one for each network.

    Parameters
    ----------
    networks : sequence of HazardNetwork
        Whose weights change no more.
    modalities : sequence of str
    segments : int
        Of the store.
    """

    def __init__(self, networks: Sequence[HazardNetwork], modalities: Sequence[str], segments: int) -> None:
        self._networks, self._modalities = networks, modalities
        self._device = next(networks[0].parameters()).device
        # Slot 0 is "no content".
        self._slot = np.zeros(segments, dtype=np.int32)
        self._met, self._capacity = 0, 0
        self._unit: dict[str, Tensor] = {}
        self._valid: dict[str, Tensor] = {}

    def read(self, store: FeatureStore, rows: Rows) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """States (R + 1, networks, heads, ·) and validity (R + 1,) of R distinct rows by modality; row 0: nothing."""
        new = rows[self._slot[rows] == 0]
        if self._met + len(new) > self._capacity or not self._unit:
            self._slot[:] = 0
            self._met, self._unit, new = 0, {}, rows
            self._capacity = max(CAPACITY, len(rows))
            self._meet(store, rows[:0])
        for start in range(0, len(new), _READ_ROWS):
            self._meet(store, new[start : start + _READ_ROWS])
        slot = torch.from_numpy(np.concatenate([[0], self._slot[rows]]))
        return {m: x[slot] for m, x in self._unit.items()}, {m: x[slot] for m, x in self._valid.items()}

    def _meet(self, store: FeatureStore, rows: Rows) -> None:
        first = self._met + 1
        for modality in self._modalities:
            values, valid = store.gather(modality, rows)
            tastes = [cast(ContentTaste, network.eval().taste[modality]) for network in self._networks]
            features = torch.from_numpy(values).to(self._device)
            unit = torch.stack([taste.units(features) for taste in tastes], dim=1).cpu()
            if modality not in self._unit:
                self._unit[modality] = torch.zeros(self._capacity + 1, *unit.shape[1:])
                self._valid[modality] = torch.zeros(self._capacity + 1, dtype=torch.bool)
            self._unit[modality][first : first + len(rows)] = unit
            self._valid[modality][first : first + len(rows)] = torch.from_numpy(valid)
        self._slot[rows] = np.arange(first, first + len(rows))
        self._met += len(rows)
