"""Tables of other people, read as what they say: ids and categories are strings, nothing is guessed."""

from __future__ import annotations

import sqlite3
import warnings
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SQLITE = (".sqlite", ".db")
"""Suffixes of logs in SQLite files."""


def read_table(path: Path, what: str, separator: str = ",") -> pd.DataFrame:
    """A CSV (plain or gzip), Parquet or SQLite file (its table ``views``); the cells of a CSV are strings or missing.

    Raises
    ------
    ValueError
        If there is no such file or it cannot be read; the message names it, and ``what`` it should have been.
    """
    import pandas as pd

    if not path.exists():
        raise ValueError(f"{path}: no such {what} file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix in SQLITE:
            return _read_views(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more values than columns
            # index_col: a comma at the end of each row must not make the first column an index.
            return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""], index_col=False)
    except (ValueError, OSError, EOFError, zlib.error, sqlite3.Error, pd.errors.ParserWarning) as error:
        raise ValueError(
            f"{path}: cannot be read as a {what} (CSV, CSV.gz, Parquet or SQLite): {str(error).strip()}"
        ) from error


def _read_views(path: Path) -> pd.DataFrame:
    """The table ``views`` of an SQLite file, in the order it was written; a server may be writing on."""
    import pandas as pd

    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        cursor = file.execute("SELECT * FROM views ORDER BY rowid")
        return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])


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
