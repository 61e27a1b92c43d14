"""What a store says about itself before anything else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from segfeat.store.format import FORMAT_VERSION
from segfeat.types import MODALITIES, EncoderSpec, StoreHeader


def read_header(file: h5py.File, path: Path) -> StoreHeader:
    """The header of an opened file.

    Raises
    ------
    ValueError
        If it is no store, or one of a newer format version.
    KeyError
        If it is not complete.
    """
    attributes = file.attrs
    if attributes.get("format") != "segfeat":
        raise ValueError(f"{path}: an HDF5 file, but not a segfeat store")
    version = int(attributes["format_version"])
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: written in store format {version}, but this segfeat reads up to {FORMAT_VERSION}: upgrade segfeat"
        )
    specs: dict[str, EncoderSpec] = {
        modality: EncoderSpec(**{k: _plain(v) for k, v in file[f"features/{modality}"].attrs.items()})
        for modality in MODALITIES
        if f"features/{modality}" in file
    }
    return StoreHeader(float(attributes["segment_s"]), json.loads(attributes["parameters"]), specs)


def _plain(value: Any) -> Any:
    """HDF5 attribute values as plain Python ones."""
    return value.item() if isinstance(value, np.generic) else value
