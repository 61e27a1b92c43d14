"""The watch log of a store in parts, as Parquet files beside it that any other program can read.

``views.parquet`` has ``user_id, video_id, time_ms, watch_ms, duration_ms``, a row a view,
and a column ``context <name>`` for each context column. ``users.parquet`` and ``videos.parquet`` are the id tables, so
that ids stand in the order in which they were given and ids that no view has are kept; the metadata of
``views.parquet`` have the categories of context columns for the same reason.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from segfeat.interactions import Categories, Interactions
from segfeat.store.hdf5 import sync_folder
from segfeat.store.manifest import FileEntry, described
from segfeat.whole import whole_folder

_NUMBERS = ("time_ms", "watch_ms", "duration_ms")

_IDS = {"user": "users.parquet", "video": "videos.parquet"}

_VIEWS = "views.parquet"

_CONTEXT, _CATEGORIES = "context ", "segfeat context"


def write_log(folder: Path, log: Interactions) -> tuple[FileEntry, ...]:
    """Write a log into a folder of its own inside a store's; its files."""
    import pyarrow as pa
    from pyarrow import parquet

    target = folder / f"log-{log.fingerprint()[:24]}"
    if not target.exists():
        with whole_folder(target) as temporary:
            columns = {}
            for name, file in _IDS.items():
                ids = pa.array(getattr(log, f"{name}_ids").tolist(), pa.string())
                parquet.write_table(pa.table({f"{name}_id": ids}), temporary / file)
                columns[f"{name}_id"] = pa.DictionaryArray.from_arrays(pa.array(getattr(log, name)), ids)
            columns |= {name: pa.array(getattr(log, name)) for name in _NUMBERS}
            for name, (codes, names) in log.context.items():
                known = pa.array(codes, mask=codes < 0)
                columns[_CONTEXT + name] = pa.DictionaryArray.from_arrays(known, pa.array(names.tolist(), pa.string()))
            categories = {name: names.tolist() for name, (_, names) in log.context.items()}
            table = pa.table(columns).replace_schema_metadata({_CATEGORIES: json.dumps(categories)})
            parquet.write_table(table, temporary / _VIEWS, compression="zstd")
            for path in temporary.iterdir():
                with path.open("rb") as written:
                    os.fsync(written.fileno())
        sync_folder(folder)
    rows = {_VIEWS: len(log), **{file: len(getattr(log, f"{name}_ids")) for name, file in _IDS.items()}}
    return tuple(described(folder, target / name, count) for name, count in sorted(rows.items()))


def read_log(folder: Path, files: tuple[FileEntry, ...]) -> Interactions | None:
    """The log that a manifest speaks of.

    Raises
    ------
    ValueError
        If one of its files cannot be read.
    """
    if not files:
        return None
    import pyarrow as pa
    from pyarrow import compute, parquet

    paths = {Path(entry.file).name: folder / entry.file for entry in files}
    try:
        ids = {n: parquet.read_table(paths[f]).column(f"{n}_id").combine_chunks() for n, f in _IDS.items()}
        views = parquet.read_table(paths[_VIEWS])
        codes = {}
        for name, table in ids.items():
            # The dictionary in the file may stand in another order than the table.
            column = views.column(f"{name}_id").cast(pa.string()).combine_chunks()
            codes[name] = compute.index_in(column, table).to_numpy(zero_copy_only=False).astype(np.int32)
        context = {}
        for name, names in json.loads((views.schema.metadata or {}).get(_CATEGORIES.encode(), "{}")).items():
            column = views.column(_CONTEXT + name).cast(pa.string()).combine_chunks()
            found = compute.fill_null(compute.index_in(column, pa.array(names, pa.string()), skip_nulls=True), -1)
            context[name] = Categories(found.to_numpy(zero_copy_only=False).astype(np.int32), np.array(names, object))
        numbers = [views.column(name).to_numpy().astype(np.int64) for name in _NUMBERS]
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{folder}: its watch log cannot be read: {error}") from error
    users, videos = (np.array(ids[name].to_pylist(), dtype=object) for name in _IDS)
    return Interactions(users, videos, codes["user"], codes["video"], *numbers, context=context)  # type: ignore[misc]  # three columns
