"""A whole export: the segments in the format asked for, and beside them what every format has alike."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from segfeat.exporters import exporter
from segfeat.exporters.parquet import write_tables
from segfeat.store.reader import FeatureStore
from segfeat.whole import whole_folder

FACTS = "store.json"
"""Where an export says what it was made from."""


def export_store(store: str | Path, folder: str | Path, format_name: str = "parquet", overwrite: bool = False) -> int:
    """Write a store into a folder, one row (or sample) a segment, in the store's order.

    Beside the segments stand ``videos.parquet``, ``interactions.parquet``, ``users.parquet`` and ``failures.parquet``
    where the store has any, and ``store.json`` with the encoders, the settings and the content hash.

    Parameters
    ----------
    store : path
    folder : path
        Appears when all of it is written.
    format_name : str
        One of `segfeat.exporters.EXPORTERS`.
    overwrite : bool
        Whether an existing folder is replaced, if it is an export.

    Returns
    -------
    int
        The number of segments.

    Raises
    ------
    ValueError
        If the format is unknown, the store cannot be read, or the folder is there already.
    """
    write = exporter(format_name)
    folder = Path(folder)
    if folder.exists():
        if not overwrite:
            raise ValueError(f"{folder} exists already; --overwrite replaces it")
        if not (folder / FACTS).is_file():
            raise ValueError(f"{folder} is no export, so it is not overwritten; choose another name")
    if not folder.absolute().parent.is_dir():
        raise ValueError(f"{folder.parent}: no such folder")
    with whole_folder(folder) as temporary, FeatureStore(store) as opened:
        write(opened, temporary)
        write_tables(opened, temporary)
        (temporary / FACTS).write_text(json.dumps(_facts(opened, format_name), indent=2) + "\n")
        return opened.segment_total


def _facts(store: FeatureStore, format_name: str) -> dict[str, object]:
    return {
        "format": format_name,
        "content_hash": store.content_hash,
        "segment_s": store.segment_s,
        "videos": len(store),
        "segments": store.segment_total,
        "parameters": dict(store.header.parameters),
        "encoders": {modality: asdict(spec) for modality, spec in store.encoders.items()},
    }
