"""VideoTable: one table of video ids for every request."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from segfeat.interactions import Codes, Ids

SPARE = 4096
"""Places for videos that neither store nor log know; at least twice what one request can bring."""


class VideoTable:
    """Video ids as an array that stays the same object, so that models look up what they know of it only once.

    Videos that turn up later get places at the end, whose names stay empty: no model can know them, and all it may ask
    is which of them are the same.

    Parameters
    ----------
    ids : object (V,)
        The videos of log and store.
    """

    def __init__(self, ids: Ids) -> None:
        self._place = {v: i for i, v in enumerate(ids.tolist())}
        self.ids = np.concatenate([ids, np.full(SPARE, "", dtype=object)])

    def learn(self, ids: Iterable[str]) -> Codes:
        """Codes of videos, of new ones for good."""
        codes = np.array([self._place.setdefault(v, len(self._place)) for v in ids], dtype=np.int32)
        if len(self.ids) - len(self._place) < SPARE // 2:
            grown = np.full(2 * len(self._place) + SPARE, "", dtype=object)
            grown[: len(self.ids)] = self.ids
            self.ids = grown
        return codes

    def codes(self, ids: Iterable[str], visitors: dict[str, int]) -> Codes:
        """Codes of videos, of unknown ones only for the request whose ``visitors`` are given and added to."""
        last = len(self.ids) - 1
        return np.array(
            [
                place if (place := self._place.get(v)) is not None else visitors.setdefault(v, last - len(visitors))
                for v in ids
            ],
            dtype=np.int32,
        )
