"""Vocabulary: the ids a model met in training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from segfeat.interactions import Ids
from segmodel.data.views import Rows


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

    def table_codes(self, table: Ids) -> Rows:
        """Code of each id of an id table; the last table asked for is remembered, since every batch asks again."""
        if self._last.get("table") is not table:
            self._last.update(table=table, codes=self.codes(table.tolist()))
        found: Rows = self._last["codes"]
        return found

    @cached_property
    def _last(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _position(self) -> dict[str, int]:
        return {v: i + 1 for i, v in enumerate(self.ids)}

    def codes(self, ids: Iterable[str]) -> Rows:
        """Code of each id; 0 where unknown."""
        return np.array([self._position.get(v, 0) for v in ids], dtype=np.int64)
