"""Titles and other words about videos, from a metadata file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segfeat.pipeline.sources import Source

KEYS = ("video_id", "path")
"""Columns that say which video a row is about, the first one found wins."""


def read_titles(path: str | Path) -> tuple[str, dict[str, str]]:
    """Read a metadata file.

    Parameters
    ----------
    path : path
        CSV, CSV.gz with a column ``video_id`` or ``path``, and at least one more; all others are text. ``title`` comes
        first, the others follow in their order.

    Returns
    -------
    key : {"video_id", "path"}
    titles : dict
        Key of a video to its words, joined by spaces.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a key or text column, or has two rows for one video; the message names it.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read as metadata (CSV): {error}") from error
    key = next((k for k in KEYS if k in table.columns), None)
    if key is None:
        raise ValueError(f"{path}: missing column video_id or path; found {', '.join(map(str, table.columns))}")
    columns = sorted((c for c in table.columns if c not in KEYS), key=lambda c: c != "title")
    if not columns:
        raise ValueError(f"{path}: no text column besides {key}; expected title or others")
    titles: dict[str, str] = {}
    for row, (name, *words) in enumerate(table[[key, *columns]].itertuples(index=False), start=2):
        name = name.strip()
        if name in titles:
            raise ValueError(f"{path}, line {row}: {key} {name!r} stands there a second time")
        titles[name] = " ".join(" ".join(w.split()) for w in words if w.strip())
    return key, titles


def with_titles(sources: Sequence[Source], path: str | Path) -> list[Source]:
    """The sources with the words that a metadata file has about them; its paths are relative to the root.

    Raises
    ------
    ValueError
        As `read_titles`, or if the file is about other videos altogether.
    """
    key, titles = read_titles(path)
    names = [s.video_id if key == "video_id" else s.path for s in sources]
    if sources and titles and not titles.keys() & set(names):
        raise ValueError(
            f"{path}: none of its {len(titles):,} {key}s ({next(iter(titles))!r}, ...) is one of the {len(names):,} "
            f"videos ({names[0]!r}, ...)"
        )
    return [replace(s, title=titles.get(name, "")) for s, name in zip(sources, names, strict=True)]
