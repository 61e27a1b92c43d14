"""Parquet: ``segments.parquet`` with a column of vectors for each modality, and the store's other tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.store.frames import pieces, segment_frame, user_frame, video_frame
from segfeat.store.reader import FeatureStore

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write(store: FeatureStore, folder: Path) -> None:
    """Write ``segments.parquet``: ``video_id, segment, start_s, end_s, words`` and a list of D numbers a modality.

    Numbers are of the store's own width; a segment without such material is null there.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [
            ("video_id", pa.string()),
            ("segment", pa.int32()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("words", pa.string()),
            *((modality, _vectors(store, modality)) for modality in store.encoders),
        ]
    )
    with parquet.ParquetWriter(folder / "segments.parquet", schema, compression="zstd") as file:
        for videos in pieces(store):
            frame = segment_frame(store, videos)
            columns = {name: pa.array(frame[name].tolist(), schema.field(name).type) for name in frame}
            rows = np.arange(store.offset[videos.start], store.offset[videos.stop])
            for modality in store.encoders:
                columns[modality] = _filled(store, modality, rows)
            file.write_table(pa.table(columns, schema=schema))


def write_tables(store: FeatureStore, folder: Path) -> None:
    """Write the tables that are no segments: videos, and the log, the users and the failures where there are any."""
    import pandas as pd

    video_frame(store).to_parquet(folder / "videos.parquet", index=False)
    if len(store.users):
        user_frame(store).to_parquet(folder / "users.parquet", index=False)
    if store.failures:
        pd.DataFrame([asdict(f) for f in store.failures]).to_parquet(folder / "failures.parquet", index=False)
    if store.interactions is not None:
        _log(store).to_parquet(folder / "interactions.parquet", index=False)


def _vectors(store: FeatureStore, modality: str) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.from_numpy_dtype(store.features(modality).dtype), store.encoders[modality].dim)


def _filled(store: FeatureStore, modality: str, rows: np.ndarray) -> pa.Array:
    import pyarrow as pa

    kind = store.features(modality).dtype
    values, valid = store.gather(modality, rows)
    numbers = pa.array(values.astype(kind, copy=False).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(numbers, type=_vectors(store, modality), mask=pa.array(~valid))


def _log(store: FeatureStore) -> pd.DataFrame:
    """The watch log with the names that ``--interactions`` reads."""
    import pandas as pd

    log = store.interactions
    assert log is not None
    columns: dict[str, Any] = {
        "user_id": log.user_ids[log.user],
        "video_id": log.video_ids[log.video],
        "time_ms": log.time_ms,
        "duration_ms": log.duration_ms,
        "watch_ms": log.watch_ms,
    }
    for name, (codes, names) in log.context.items():
        known = np.append(names, np.array([None], dtype=object))
        columns[f"context {name}" if name in columns else name] = known[codes]
    return pd.DataFrame(columns)
