"""Titles and other words about videos, from a metadata file."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from segfeat.decode.charsets import guess_encoding
from segfeat.pipeline.sources import Source
from segfeat.tables import SEPARATORS, read_table

KEYS = ("video_id", "path")
"""Columns that say which video a row is about, the first one found wins."""

_GZIP, _PARQUET, _SQLITE = b"\x1f\x8b", b"PAR1", b"SQLite format 3"

_NO_CHARACTER = re.compile(r"[\ud800-\udfff]")
"""Halves of characters, and bytes that Python could not decode."""

Row = tuple[int, list[str]]
"""A line's number, and its cells."""


def read_titles(path: str | Path, note: Callable[[str], None] = lambda _: None) -> tuple[str, dict[str, str]]:
    """Read a metadata file.

    Parameters
    ----------
    path : path
        A table as `segfeat.tables.read_table` reads it, with a column ``video_id`` or ``path``, and at least one more;
        all others are text. ``title`` comes first, the others follow in their order.
    note : callable
        Told of every row that is left out: without an id, about a video that had one before, or with more cells than
        there are columns.

    Returns
    -------
    key : {"video_id", "path"}
    titles : dict
        Key of a video to its words, joined by spaces.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a key or text column, or no row can be used; the message names it.
    """
    try:
        names, rows = _table(Path(path))
        key = next((k for k in KEYS if k in names), None)
        if key is None:
            raise ValueError(f"{path}: missing column video_id or path; found {', '.join(names)}")
        columns = sorted((i for i, name in enumerate(names) if name not in KEYS), key=lambda i: names[i] != "title")
        if not any(names[i] for i in columns):
            raise ValueError(f"{path}: no text column besides {key}; expected title or others")
        place, titles, complaints = names.index(key), dict[str, str](), 0
        for line, cells in rows:
            name = cells[place].strip() if place < len(cells) else ""
            if not any(cells):
                continue
            if wrong := _wrong(key, name, titles, len(names), cells):
                complaints += 1
                note(f"{path}, line {line}: {wrong}")
            else:
                titles[name] = " ".join(filter(None, (_words(cells[i]) for i in columns if i < len(cells))))
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read as metadata: {getattr(error, 'strerror', None) or error}") from error
    if complaints and not titles:
        raise ValueError(f"{path}: none of its {complaints:,} rows can be used: the last one, in line {line}: {wrong}")
    return key, titles


def with_titles(
    sources: Sequence[Source], path: str | Path, note: Callable[[str], None] = lambda _: None
) -> list[Source]:
    """The sources with the words that a metadata file has about them; its paths are relative to the root.

    Raises
    ------
    ValueError
        As `read_titles`, or if the file is about other videos altogether.
    """
    key, titles = read_titles(path, note)
    names = [s.video_id if key == "video_id" else s.path for s in sources]
    if sources and titles and not titles.keys() & set(names):
        raise ValueError(
            f"{path}: none of its {len(titles):,} {key}s ({next(iter(titles))!r}, ...) is one of the {len(names):,} "
            f"videos ({names[0]!r}, ...)"
        )
    return [replace(s, title=titles.get(name, "")) for s, name in zip(sources, names, strict=True)]


def _words(cell: str) -> str:
    """A cell without what no text may hold."""
    return " ".join(_NO_CHARACTER.sub("\ufffd", cell.replace("\0", " ")).split())


def _wrong(key: str, name: str, titles: dict[str, str], width: int, cells: Sequence[str]) -> str:
    """Why a row cannot be used, in words; empty where it can."""
    if any(cells[width:]):
        return f"{len(cells)} cells in {width} columns; a text with a separator in it needs quotes"
    if not name:
        return f"no {key}"
    if name in titles:
        return f"{key} {name!r} stands there a second time; the first row is kept"
    return ""


def _table(path: Path) -> tuple[list[str], Iterator[Row]]:
    """The names of the columns, and the rows."""
    data = path.read_bytes()
    if data.startswith(_GZIP):
        data = gzip.decompress(data)
    if data.startswith((_PARQUET, _SQLITE)) or data.lstrip(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        table = read_table(path, "metadata").astype(object)
        cells = table.where(table.notna(), "").itertuples(index=False)
        return [str(name) for name in table.columns], ((n, list(map(str, row))) for n, row in enumerate(cells, 2))
    text = io.StringIO(_decoded(data), newline="")
    first = text.readline()
    text.seek(0)
    reader = csv.reader(text, delimiter=max(SEPARATORS, key=first.count))
    names = [name.strip() for name in next(reader, [])]
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f"{path}: the column {', '.join(twice)} stands there twice")
    if not any(names):
        raise ValueError(f"{path}: cannot be read as metadata: it is empty")
    return names, ((reader.line_num, cells) for cells in reader)


def _decoded(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with a mark, or in what it is likely to be where most lines are not in UTF-8.

    Bytes of a few broken lines are escaped, as they are in names of files.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    data = data.removeprefix(codecs.BOM_UTF8)
    foreign = [line for line in data.split(b"\n") if not line.isascii()]
    broken = sum("\ufffd" in line.decode("utf-8", "replace") for line in foreign)
    encoding = guess_encoding(data) if 2 * broken > len(foreign) else None
    return data.decode(encoding) if encoding else data.decode("utf-8", "surrogateescape")
