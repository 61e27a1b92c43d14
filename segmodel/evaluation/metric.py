"""Metric: one entry of a registry of measures, with all that tables, charts and commands say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Metric:
    """A measure; calling it measures.

    Attributes
    ----------
    name : str
        Key in files and ``--json``.
    title : str
        Head of a table's column.
    digits : int
        Behind the point.
    direction : str
        ``more`` or ``less`` is better, or ``target`` where the best value lies inside the range and the title names it.
    function : callable
        What is measured; its registry says of what.
    unit : str
    protocol : str
        Under which it ranks; named where a table holds several.
    words : str
        What it is, for readers who do not know the title.
    """

    name: str
    title: str
    digits: int
    direction: Literal["more", "less", "target"]
    function: Callable[..., Any]
    unit: str = ""
    protocol: str = ""
    words: str = ""

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    @property
    def full_title(self) -> str:
        """The title with its protocol."""
        return f"{self.title} {self.protocol}".rstrip()

    @property
    def in_words(self) -> str:
        """What it is, under which protocol, in which unit."""
        protocol = f", {self.protocol} protocol" if self.protocol else ""
        return f"{self.words or self.title}{protocol}{f' ({self.unit})' if self.unit else ''}"

    @property
    def less_is_better(self) -> bool:
        """Whether a negative difference is an improvement."""
        return self.direction == "less"


def registry(*metrics: Metric) -> dict[str, Metric]:
    """Name -> metric, in the given order."""
    return {metric.name: metric for metric in metrics}
