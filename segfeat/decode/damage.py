"""A tally of what could not be read."""

from __future__ import annotations


class Damage:
    """Counts problems by kind; the same trouble in a thousand packets is one line."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def note(self, kind: str, detail: str = "", count: int = 1) -> None:
        """Record some occurrences of a kind of problem, with the first one's detail kept."""
        self._counts[kind] = self._counts.get(kind, 0) + count
        self._first.setdefault(kind, detail)

    def lines(self) -> list[str]:
        """One line for each kind, in order of appearance, with its count and first detail."""
        return [
            f"{count} x {kind}" + (f" (first: {self._first[kind]})" if self._first[kind] else "")
            for kind, count in self._counts.items()
        ]
