"""LruCache: a bounded cache that forgets what was not asked for the longest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LruCache(Generic[T]):
    """Values by name, the least recently used of which go first.

    Parameters
    ----------
    limit : int
        Weight of all values together; one alone may exceed it.
    weigh : callable
        Weight of a value; every value weighs 1 besides.
    """

    def __init__(self, limit: int, weigh: Callable[[T], int]) -> None:
        self.limit, self.weigh = limit, weigh
        self.weight = 0
        self._values: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The value of that name, made where it is not there."""
        value = self.drop(name)
        if value is None:
            value = make()
        self.put(name, value)
        return value

    def put(self, name: str, value: T) -> None:
        """Keep a value of a name that is not there."""
        # A dict keeps the order of insertion: the first is the least recently used.
        self._values[name] = value
        self.weight += self.weigh(value) + 1
        while self.weight > self.limit and len(self._values) > 1:
            self.drop(next(iter(self._values)))

    def drop(self, name: str) -> T | None:
        """Forget a value, and return it where it was there."""
        value = self._values.pop(name, None)
        if value is not None:
            self.weight -= self.weigh(value) + 1
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self.weight = 0
