"""Extent: what a benchmark's table is about, so that a smaller table does not take a larger one's place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segmodel.benchmark.plan import BenchmarkPlan

_KEY = "made_from"
"""Where a table's JSON says it."""


@dataclass(frozen=True)
class Extent:
    """What went into a table.

    Attributes
    ----------
    data : mapping
        Store, log and split, by their fingerprints.
    budget : mapping
        Trials, seeds, epochs and so on.
    rows : tuple of str
        Systems, or backbones and modes.
    """

    data: Mapping[str, Any]
    budget: Mapping[str, Any]
    rows: tuple[str, ...]

    @classmethod
    def of(cls, plan: BenchmarkPlan, summary: Mapping[str, Any], rows: Iterable[str]) -> Extent:
        """Of a plan whose data have this summary."""
        return cls(plan.identity(summary), asdict(plan.budget), tuple(rows))

    def covers(self, other: Extent) -> bool:
        """Whether everything that the other table says stands in this one, measured at least as well."""
        return (
            self.data == other.data
            and self.budget.keys() == other.budget.keys()
            and all(self.budget[k] >= other.budget[k] for k in self.budget)
            and set(self.rows) >= set(other.rows)
        )

    def write(self, folder: str | Path, name: str, markdown: str, content: Mapping[str, Any]) -> str:
        """Write a table as ``.md`` and ``.json`` into a folder, which is made; the name that :meth:`stem` gave it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stem = self.stem(folder, name)
        (folder / f"{stem}.md").write_text(markdown)
        (folder / f"{stem}.json").write_text(json.dumps({_KEY: asdict(self), **content}, indent=1) + "\n")
        return stem

    def stem(self, folder: Path, name: str) -> str:
        """Name of this table's files in a folder: ``name``, unless a table stands there that this one does not cover.

        Then a hash of the extent follows, so that the same command finds its own table again.
        """
        try:
            made_from = json.loads((folder / f"{name}.json").read_text())[_KEY]
            known = Extent(made_from["data"], made_from["budget"], tuple(made_from["rows"]))
        except FileNotFoundError:
            return name
        except (ValueError, KeyError, TypeError):
            known = None  # nobody knows what it holds
        if known is not None and self.covers(known):
            return name
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{name}-{digest[:8]}"
