"""Tables as a notebook shows them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape


def facts_html(facts: Mapping[str, str]) -> str:
    """Names and what they are, a row each; those without a value are left out."""
    return strips_html({name: [value] for name, value in facts.items() if value})


def strips_html(rows: Mapping[str, Sequence[str | bytes]]) -> str:
    """Rows of cells under one another; bytes are WebP pictures."""
    lines = (
        f'<tr><th style="text-align:left">{escape(name)}</th>{"".join(map(_cell, cells))}</tr>'
        for name, cells in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"


def _cell(content: str | bytes) -> str:
    if isinstance(content, str):
        return f'<td style="text-align:left">{escape(content)}</td>'
    picture = f'<img alt="" src="data:image/webp;base64,{base64.b64encode(content).decode()}">' if content else ""
    return f"<td>{picture}</td>"
