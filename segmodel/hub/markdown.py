"""What both cards are written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def front_matter(content: Mapping[str, Any]) -> str:
    """YAML, in the given order."""
    import yaml

    found: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return found
