"""Parts of a log: whole users, one part in memory at a time. A log in memory is one part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split

Sums = TypeVar("Sums", bound=tuple[Any, ...])

TRAIN, VALID, TEST = ROLES = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Parts:
    """Views to learn from or to score, in parts that hold whole users; each iteration reads them anew.

    All views of a user are in one part, so pasts, splits by user and user statistics are those of the whole log.

    Attributes
    ----------
    count : int
    load : callable
        Number of a part, 0 .. count - 1 -> the part.
    """

    count: int
    load: Callable[[int], Dataset]

    @classmethod
    def of(cls, data: Dataset) -> Parts:
        """A dataset in memory as the only part."""
        return cls(1, lambda k: data)

    def __iter__(self) -> Iterator[Dataset]:
        return self.in_order(range(self.count))

    def in_order(self, order: Iterable[int]) -> Iterator[Dataset]:
        """The given parts, without those of several that are empty."""
        for k in order:
            part = self.load(k)
            if len(part) or self.count == 1:
                yield part
            del part  # before the next one is read

    def shuffled(self, generator: np.random.Generator) -> Iterator[Dataset]:
        """All parts in random order."""
        return self.in_order(generator.permutation(self.count).tolist() if self.count > 1 else range(1))

    def first(self, views: int) -> Iterator[Dataset]:
        """The first parts that have so many views together; all, where there are fewer."""
        met = 0
        for part in self:
            yield part
            met += len(part)
            del part  # before the next one is read
            if met >= views:
                break

    def summed(self, sums: Callable[[Dataset], Sums]) -> Sums:
        """``sums`` of all parts: each of its arrays and numbers added up, in the order of the parts.

        Raises
        ------
        ValueError
            If there is no part.
        """
        total: Sums | None = None
        for part in self:
            found = sums(part)
            total = found if total is None else tuple(a + b for a, b in zip(total, found, strict=True))  # type: ignore[assignment]
        if total is None:
            raise ValueError("a log without views has no statistics")
        return total


@dataclass(frozen=True, eq=False)
class SplitLog:
    """A log in parts, and which views of each part train, validate and test.

    Attributes
    ----------
    count : int
    load : callable
        Number of a part -> its views and their split.
    """

    count: int
    load: Callable[[int], tuple[Dataset, Split]]

    @classmethod
    def of(cls, data: Dataset, split: Split) -> SplitLog:
        """A log in memory."""
        return cls(1, lambda k: (data, split))

    @property
    def store(self) -> FeatureStore | None:
        """Where content comes from."""
        return self.load(0)[0].store

    def parts(self, *roles: str) -> Parts:
        """The views of some of :data:`TRAIN`, :data:`VALID` and :data:`TEST`."""
        if self.count == 1:
            return Parts.of(_taken(*self.load(0), roles))
        return Parts(self.count, lambda k: _taken(*self.load(k), roles))


def _taken(data: Dataset, split: Split, roles: tuple[str, ...]) -> Dataset:
    return data.take(np.sort(np.concatenate([getattr(split, role) for role in roles])))
