"""Docstrings as Markdown: Sphinx roles become code that links where it can, simple tables become tables."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?([\w.]+)`")
_SESSION = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
_RULE = re.compile(r"^=+(?: +=+)+$")


def _link(match: re.Match[str]) -> str:
    path = match[1]
    shown = path.rpartition(".")[2] if path.count(".") > 1 else path
    return f'<autoref optional identifier="{path}"><code>{shown}</code></autoref>'


def _cells(line: str, starts: list[int]) -> list[str]:
    ends = [*starts[1:], None]
    return [line[a:b].strip().replace("``", "`") for a, b in zip(starts, ends, strict=True)]


def tables(text: str) -> str:
    """The text with reStructuredText simple tables as Markdown tables; a row that begins empty goes on the last one."""
    out: list[str] = []
    rows: list[list[str]] | None = None
    starts: list[int] = []
    for line in text.splitlines():
        if _RULE.match(line):
            if rows is None:
                rows, starts = [], [m.start() for m in re.finditer("=+", line)]
            else:
                head, rule = ["| " * len(starts) + "|"], ["| --- " * len(starts) + "|"]
                out += ["", *head, *rule, *("| " + " | ".join(row) + " |" for row in rows), ""]
                rows = None
        elif rows is not None:
            cells = _cells(line, starts)
            rows.append(cells)
        else:
            out.append(line)
    return "\n".join(out)


class Roles(griffe.Extension):
    """Applied to every docstring that is read."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        if obj.docstring:
            if obj.is_module:
                # Those of functions stand in sections, where they are found anyway.
                obj.docstring.value = _SESSION.sub(r"```python\n\g<0>\n```", obj.docstring.value)
            obj.docstring.value = _ROLE.sub(_link, tables(obj.docstring.value))
