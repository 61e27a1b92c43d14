"""Vocabulary: the ids a model met in training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segfeat.interactions import Ids
from segmodel.views import Rows


@dataclass(frozen=True)
class Vocabulary:
    """Strings with codes 1, 2, …; code 0 is every id that is not among them."""

    ids: tuple[str, ...]

    @classmethod
    def of(cls, table: Ids, codes: np.ndarray) -> Vocabulary:
        """The ids of ``table`` that occur among ``codes``."""
        return cls(tuple(table[np.unique(codes)].tolist()))

    def __len__(self) -> int:
        """Number of codes, the unknown one included."""
        return len(self.ids) + 1

    @cached_property
    def _position(self) -> dict[str, int]:
        return {v: i + 1 for i, v in enumerate(self.ids)}

    def codes(self, ids: Iterable[str]) -> Rows:
        """Code of each id; 0 where unknown."""
        return np.array([self._position.get(v, 0) for v in ids], dtype=np.int64)
