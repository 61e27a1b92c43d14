"""Tables for other programs: the suffix of a file decides its format."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from segfeat.whole import whole_file

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".csv.gz", ".parquet", ".json", ".jsonl")
"""Suffixes of tables that can be written."""

STDOUT = "-"
"""The path that is the standard output, as CSV."""


def table_format(path: str | Path) -> str:
    """The suffix of :data:`FORMATS` that a path ends with, or :data:`STDOUT`.

    Raises
    ------
    ValueError
        For another one.
    """
    if str(path) == STDOUT:
        return STDOUT
    name = Path(path).name.lower()
    found = [suffix for suffix in FORMATS if name.endswith(suffix)]
    if not found:
        raise ValueError(
            f"{path}: the suffix decides the format; valid are {', '.join(FORMATS)}, and - for standard output"
        )
    return max(found, key=len)


def write_tables(frames: Iterable[pd.DataFrame], path: str | Path) -> None:
    """Write tables with the same columns below each other, one in memory at a time; as :func:`write_table`.

    Raises
    ------
    ValueError
        For an unknown suffix.
    """
    kind = table_format(path)
    if kind == STDOUT:
        for k, frame in enumerate(frames):
            frame.to_csv(sys.stdout, index=False, float_format="%.9g", header=k == 0)
        return
    with whole_file(path) as temporary, ExitStack() as files:
        if kind == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            writer = None
            for frame in frames:
                table = pa.Table.from_pandas(frame, preserve_index=False)
                writer = writer or files.enter_context(pq.ParquetWriter(temporary, table.schema))
                writer.write_table(table)
            return
        opened = gzip.open if kind == ".csv.gz" else open
        file = files.enter_context(opened(temporary, "wt", encoding="utf-8", newline=""))
        for k, frame in enumerate(frames):
            if kind == ".json":
                text = frame.to_json(orient="records", double_precision=9)[1:-1]
                file.write(f"{',' if k else '['}{text}")
            elif kind == ".jsonl":
                frame.to_json(file, orient="records", lines=True, double_precision=9)
            else:
                frame.to_csv(file, index=False, float_format="%.9g", header=k == 0)
        if kind == ".json":
            file.write("]")


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table in the format of the file's name, numbers of text formats with nine significant digits.

    Raises
    ------
    ValueError
        For an unknown suffix.
    """
    write_tables([frame], path)
