"""NumPy: one memory-mappable array a modality, and the segments that its rows are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segfeat.store.frames import pieces, segment_frame
from segfeat.store.reader import FeatureStore


def write(store: FeatureStore, folder: Path) -> None:
    """Write ``<modality>.npy`` (T, D), ``<modality>_valid.npy`` (T,) and ``segments.csv`` with a line a row.

    Rows without such material are zeros.
    """
    for modality, spec in store.encoders.items():
        np.save(folder / f"{modality}_valid.npy", store.valid(modality), allow_pickle=False)
        values = np.lib.format.open_memmap(
            folder / f"{modality}.npy",
            mode="w+",
            dtype=store.features(modality).dtype,
            shape=(store.segment_total, spec.dim),
        )
        for videos in pieces(store):
            rows = np.arange(store.offset[videos.start], store.offset[videos.stop])
            values[rows[0] : rows[-1] + 1] = store.gather(modality, rows)[0]
        values.flush()
    for number, videos in enumerate(pieces(store)):
        segment_frame(store, videos).to_csv(
            folder / "segments.csv", mode="a", header=number == 0, index=False, lineterminator="\n"
        )
