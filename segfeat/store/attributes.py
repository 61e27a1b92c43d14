"""Categorical attributes in a store: a group for each, of names and of flat, ragged codes into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from segfeat.attribute import Attribute, Users
from segfeat.store.hdf5 import strings, text


def columns(owner: str, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """Datasets by their names in the file, for attributes of ``videos`` or ``users``.

    Raises
    ------
    ValueError
        If an attribute's name cannot be one in the file.
    """
    found: dict[str, Any] = {}
    for name, attribute in attributes.items():
        group = f"{owner}/attributes/{checked_name(name)}"
        found[f"{group}/names"] = strings(attribute.names)
        found[f"{group}/offset"] = np.asarray(attribute.offset, np.int64)
        found[f"{group}/codes"] = np.asarray(attribute.codes, np.int32)
    return found


def user_columns(users: Users) -> dict[str, Any]:
    """The datasets of a user table; none where it is empty."""
    return {"users/id": strings(users.ids), **columns("users", users.attributes)} if len(users) else {}


def checked_name(name: str) -> str:
    """A name as HDF5 can take it for a group.

    Raises
    ------
    ValueError
        If it is empty or a path.
    """
    if not name.strip(".") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot name an attribute or context column: rename it (no '/', not only dots)")
    return name


def read_attributes(file: h5py.File, owner: str) -> dict[str, Attribute]:
    """The attributes of ``videos`` or ``users`` in a file; none in a file of format 1."""
    return {
        name: Attribute(np.asarray(text(group["names"])[:], dtype=object), group["offset"][:], group["codes"][:])
        for name, group in file.get(f"{owner}/attributes", {}).items()
    }
