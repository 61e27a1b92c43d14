"""Logs that do not fit into memory: as Parquet, partitioned by user, sorted by time, each view once (DuckDB).

Where a user is follows from the MD5 of the id alone. :mod:`segfeat.partitioned_log` specifies the folder.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.interactions import MAX_DURATION_S
from segfeat.log_check import check_log
from segfeat.log_file import COLUMNS
from segfeat.partitioned_log import ID_COLUMNS, NAME, NUMBER_COLUMNS, PartitionedLog, partition_file
from segfeat.tables import sql_name

PARTITIONS = 64
"""Partitions by default: of a billion views, 16 million views and some 300 MB each."""

MEMORY_MB = 2048
"""What DuckDB may hold in memory before it spills to the disk of the output."""


def partition_log(
    logs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    partitions: int = PARTITIONS,
    memory_mb: int = MEMORY_MB,
    threads: int | None = None,
    max_duration_s: float = MAX_DURATION_S,
    columns: Mapping[str, tuple[str, ...]] = COLUMNS,
    context: Sequence[str] = (),
    unit_ms: Mapping[str, float] | None = None,
) -> PartitionedLog:
    """Write the usable rows of a log of any size in partitions, in bounded memory.

    Which rows are usable, and which of several equal ones is kept, is as for `read_interactions` and
    `Interactions.usable`.

    Parameters
    ----------
    logs : path or sequence of paths
        CSV, CSV.gz or Parquet.
    out : path
        A folder that is not there yet.
    partitions : int
    memory_mb : int
        Of DuckDB; beyond it spills to ``out``.
    threads : int, optional
        Default: as many as there are cores.
    max_duration_s : float
        Rows of videos that last this long or longer are dropped.
    columns : mapping
        Accepted column names of each of the five fields.
    context : sequence of str
        Further columns to be kept as categories.
    unit_ms : mapping of field to float, optional
        Milliseconds in one unit of a number's column, where it is not 1; fractions are rounded.

    Raises
    ------
    ValueError
        If ``out`` exists, a log cannot be read, lacks a column or is in other units, or DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ValueError("logs in partitions need DuckDB: pip install 'segfeat[scale]'") from error
    files = [Path(p) for p in ([logs] if isinstance(logs, str | Path) else logs)]
    out = Path(out)
    if out.exists():
        raise ValueError(f"{out} exists already; choose another name")
    if partitions < 1:
        raise ValueError(f"a log needs at least one partition, not {partitions}")
    if taken := {*ID_COLUMNS, *NUMBER_COLUMNS} & {name.lower() for name in context}:
        raise ValueError(f"{', '.join(sorted(taken))} of a view cannot be context as well")
    if not out.parent.is_dir():
        raise ValueError(f"{out.parent}: no such folder")
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as folder:
        staged, done = Path(folder) / "staged", Path(folder) / "done"
        done.mkdir()
        settings: dict[str, Any] = {"memory_limit": f"{memory_mb}MB", "temp_directory": str(Path(folder) / "spilled")}
        with duckdb.connect(config=settings | ({"threads": threads} if threads else {})) as database:
            try:
                dropped = Counter(_stage(database, files, staged, partitions, columns, context, unit_ms or {}))
                views = []
                for k in range(partitions):
                    counts = _sort(database, staged / f"part={k}", done / partition_file(k), max_duration_s, context)
                    views.append(counts.get(None, 0))
                    dropped.update({reason: n for reason, n in counts.items() if reason})
            except duckdb.Error as error:
                raise ValueError(f"{files[0]}: cannot be read as a log: {str(error).splitlines()[0]}") from error
        log = PartitionedLog(out, partitions, tuple(views), dict(dropped), tuple(context))
        check_log(replace(log, folder=done).read(int(np.argmax(views))))
        (done / NAME).write_text(json.dumps({k: v for k, v in asdict(log).items() if k != "folder"}, indent=1))
        shutil.move(done, out)
    return log


def _stage(
    database: Any,
    files: Sequence[Path],
    staged: Path,
    partitions: int,
    columns: Mapping[str, tuple[str, ...]],
    context: Sequence[str],
    unit_ms: Mapping[str, float],
) -> dict[str, int]:
    """All rows with readable values by partition, in any order, with their place in the log; what was left out."""
    # Every row stands under its first reason; repeated and unusable ones are found partition by partition.
    reasons = {
        "missing id": "coalesce(user_id, '') = '' OR coalesce(video_id, '') = ''",
        "unreadable number": " OR ".join(
            f"{name} IS NULL OR NOT abs({name}) < {2**62}" for name in ("time_ms", "watch_ms", "duration_ms")
        ),
    }
    case = " ".join(f"WHEN {condition} THEN '{reason}'" for reason, condition in reasons.items())
    dropped: dict[str, int] = {}
    for number, file in enumerate(files):
        selected = _selected(database, file, columns, context, unit_ms)
        source = f"SELECT *, CASE {case} END AS reason FROM ({selected})"
        for reason, count in database.execute(
            f"SELECT reason, count(*) FROM ({source}) WHERE reason IS NOT NULL GROUP BY reason", [str(file)]
        ).fetchall():
            dropped[reason] = dropped.get(reason, 0) + count
        database.execute(
            f"""COPY (
                SELECT user_id, video_id, time_ms::BIGINT AS time_ms, greatest(watch_ms, 0)::BIGINT AS watch_ms,
                       greatest(duration_ms, 0)::BIGINT AS duration_ms, {number} AS file, place, {_staged(context)}
                       (md5_number_lower(user_id) % {partitions})::INTEGER AS part
                FROM ({source}) WHERE reason IS NULL
            ) TO ? (FORMAT parquet, PARTITION_BY (part), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'f{number}_{{i}}')""",
            [str(file), str(staged)],
        )
    return dropped


def _staged(context: Sequence[str]) -> str:
    """Context columns while they are sorted, whatever they are called."""
    return "".join(f"context_{i}, " for i in range(len(context)))


def _selected(
    database: Any,
    file: Path,
    columns: Mapping[str, tuple[str, ...]],
    context: Sequence[str],
    unit_ms: Mapping[str, float],
) -> str:
    """A query of the five fields, the context and each row's place, with the file's name as its parameter."""
    if not file.exists():
        raise ValueError(f"{file}: no such log file")
    parquet = file.suffix == ".parquet"
    read = "read_parquet(?)" if parquet else "read_csv(?, all_varchar = true, header = true)"
    kinds = {
        name: kind for name, kind, *_ in database.execute(f"DESCRIBE SELECT * FROM {read}", [str(file)]).fetchall()
    }
    found = {field: next((name for name in names if name in kinds), None) for field, names in columns.items()}
    missing = [" or ".join(columns[field]) for field, name in found.items() if name is None]
    missing += [name for name in context if name not in kinds]
    if missing:
        raise ValueError(f"{file}: missing column(s) {', '.join(missing)}; found {', '.join(kinds)}")
    terms = []
    for field, name in found.items():
        column = sql_name(str(name))
        if field in ("user", "video"):
            # Whole numbers that met a missing value lose their fraction.
            text = f"{column}::BIGINT::VARCHAR" if kinds[str(name)] in ("DOUBLE", "FLOAT") else f"{column}::VARCHAR"
            terms.append(f"trim({text}) AS {field}_id")
        else:
            number = f"TRY_CAST({column} AS DOUBLE)"
            if field in unit_ms:
                number = f"round({number} * {unit_ms[field]!r})"
            # An empty duration or watch time is unknown; an empty time, or words, is unreadable.
            known = number if field == "time_ms" else f"CASE WHEN {column} IS NULL THEN 0 ELSE {number} END"
            terms.append(f"{known} AS {field}")
    for i, name in enumerate(context):
        column, text = sql_name(name), f"{sql_name(name)}::VARCHAR"
        if kinds[name] in ("DOUBLE", "FLOAT"):
            (whole,) = database.execute(
                f"SELECT coalesce(bool_and({column} = trunc({column})), true) FROM {read}", [str(file)]
            ).fetchone()
            text = f"{column}::BIGINT::VARCHAR" if whole else text
        terms.append(f"nullif(trim({text}), '') AS context_{i}")
    return f"SELECT {', '.join(terms)}, row_number() OVER () AS place FROM {read}"


def _sort(
    database: Any, staged: Path, target: Path, max_duration_s: float, context: Sequence[str]
) -> dict[str | None, int]:
    """One partition sorted, its repeated and unusable rows left out: rows by the reason why, None for those kept."""
    limit_ms = round(max_duration_s * 1000)
    database.execute(
        f"""CREATE OR REPLACE TEMP TABLE one AS
            SELECT *, CASE WHEN occurrence > 1 THEN 'duplicate'
                           WHEN duration_ms <= 0 THEN 'unknown duration'
                           WHEN duration_ms >= {limit_ms} THEN 'duration of {max_duration_s:g} s or more'
                           WHEN watch_ms <= 0 THEN 'no watch time' END AS reason
            FROM (SELECT *, row_number() OVER (PARTITION BY user_id, video_id, time_ms ORDER BY file, place)
                  AS occurrence FROM {_STAGED if staged.exists() else _nothing(context)})""",
        [str(staged / "*.parquet")] if staged.exists() else [],
    )
    kept = "".join(f", context_{i} AS {sql_name(name)}" for i, name in enumerate(context))
    database.execute(
        f"""COPY (SELECT user_id, video_id, time_ms, watch_ms, duration_ms{kept} FROM one WHERE reason IS NULL
           ORDER BY user_id, time_ms, file, place) TO ? (FORMAT parquet, COMPRESSION zstd)""",
        [str(target)],
    )
    return dict(database.execute("SELECT reason, count(*) FROM one GROUP BY reason").fetchall())


_STAGED = "read_parquet(?, hive_partitioning = false)"


def _nothing(context: Sequence[str]) -> str:
    """A partition without views."""
    columns = "".join(f"'' AS context_{i}, " for i in range(len(context)))
    return f"""(SELECT {columns}'' AS user_id, '' AS video_id, 0::BIGINT AS time_ms, 0::BIGINT AS watch_ms,
        0::BIGINT AS duration_ms, 0 AS file, 0::BIGINT AS place WHERE false)"""
