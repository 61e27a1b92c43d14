"""Tables of other people, read as what they say: ids and categories are strings, nothing is guessed."""

from __future__ import annotations

import csv
import gzip
import sqlite3
import warnings
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ",;\t|"
"""Of the columns of a text table: the one that its first line has most of."""

SQLITE = (".sqlite", ".db")
"""Suffixes of logs in SQLite files."""


def read_table(path: Path, what: str) -> pd.DataFrame:
    """A table as what its content says it is, whatever its name: the cells of text are strings or missing.

    Read are CSV with commas, semicolons or tabs, JSON lines, both plain or gzip, in UTF-8 or with a mark that says
    UTF-16; Parquet; and SQLite files (their table ``views``).

    Parameters
    ----------
    path : path
    what : str
        What the file should have been, for messages.

    Raises
    ------
    ValueError
        If there is no such file, it cannot be read, or names a column twice; the message names it.
    """
    import pandas as pd

    if not path.exists():
        raise ValueError(f"{path}: no such {what} file")
    if path.is_dir():
        raise ValueError(f"{path}: a folder, where a {what} file is needed")
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head[:4] == b"PAR1":
            return pd.read_parquet(path)
        if head[:15] == b"SQLite format 3":
            return _read_views(path)
        if head[:4] == b"PK\x03\x04" or head[:4] == b"\xd0\xcf\x11\xe0":
            raise ValueError("an Excel workbook or another zip archive; save it as CSV")
        return _read_text(path, gzipped=head[:2] == b"\x1f\x8b")
    except (ValueError, OSError, EOFError, zlib.error, sqlite3.Error, pd.errors.ParserWarning) as error:
        raise ValueError(
            f"{path}: cannot be read as a {what} (CSV, JSON lines, Parquet or SQLite): {str(error).strip()}"
        ) from error


def _read_text(path: Path, gzipped: bool) -> pd.DataFrame:
    """A table in words."""
    import pandas as pd

    start = gzip.open(path).read(4) if gzipped else path.open("rb").read(4)  # noqa: SIM115  # closed with the name
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    compression: Literal["gzip"] | None = "gzip" if gzipped else None
    with gzip.open(path, "rt", encoding=encoding) if gzipped else path.open(encoding=encoding) as file:
        first = file.readline()
    if first.lstrip().startswith("{"):
        found = pd.read_json(
            path, lines=True, dtype=False, convert_dates=False, encoding=encoding, compression=compression
        )
        return found
    separator = max(SEPARATORS, key=first.count)
    names = next(csv.reader([first], delimiter=separator), [])
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f"the column {', '.join(twice)} stands there twice")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # more values than columns
        # index_col: a comma at the end of each row must not make the first column an index.
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, na_values=[""], index_col=False, encoding=encoding,
            compression=compression,
        )  # fmt: skip


def _read_views(path: Path) -> pd.DataFrame:
    """The table ``views`` of an SQLite file, in the order it was written; a server may be writing on."""
    import pandas as pd

    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        cursor = file.execute("SELECT * FROM views ORDER BY rowid")
        return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])


def sql_name(name: str) -> str:
    """The name of a column as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def as_ids(column: pd.Series, whole: bool = True) -> pd.Series:
    """Ids as strings, missing where blank; whole floats (integers that met a missing value) lose their ``.0``.

    Raises
    ------
    TypeError
        If numbers have a fraction, unless they need not be ``whole``.
    """
    import pandas as pd

    if pd.api.types.is_float_dtype(column) and (whole or (column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    ids = column.astype("string").str.strip()
    return ids.mask(ids == "").astype(object)
