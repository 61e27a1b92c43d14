"""Read a feature store with nothing but h5py and NumPy: the format is plain.

    python examples/read_store_with_h5py.py STORE

The specification is the docstring of ``segfeat.store.format``.
"""

from __future__ import annotations

import sys

import h5py
import numpy as np


def main(path: str) -> None:
    """Print every video and the first numbers of its features."""
    with h5py.File(path, "r") as file:
        print(f"{file.attrs['format']} {file.attrs['format_version']}, segments of {file.attrs['segment_s']:g} s")
        ids = file["videos/id"].asstr()[:]
        offset = file["videos/offset"][:]  # segments of video v are rows offset[v] .. offset[v+1]-1 of every column
        for name, column in file["features"].items():
            print(f"{name}: {column.shape} by {column.attrs['name']} ({column.attrs['weights']})")
            # Columns are contiguous and uncompressed, so they can be memory-mapped: random rows without HDF5.
            rows = np.memmap(path, column.dtype, "r", offset=column.id.get_offset(), shape=column.shape)
            valid = file[f"valid/{name}"][:]
            for v, video_id in enumerate(ids):
                features = rows[offset[v] : offset[v + 1]]
                there = valid[offset[v] : offset[v + 1]]
                print(f"  {video_id}: {features.shape}, {there.sum()} of {len(there)} valid, {features[0, :4]} ...")
        for code, failed in zip(file["failures/code"].asstr()[:], file["failures/path"].asstr()[:], strict=True):
            print(f"no video: {failed} ({code})")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
