"""Names of any bytes in a store: plain h5py reads them as text, and they come back as they were."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.failures import Failure
from segfeat.store import hdf5
from segfeat.store.merge import Part, merge_stores
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures

ODD = [
    "\udcff.mp4",
    "\udce4\udcb8.mp4",
    r"\xff.mp4",
    r"\\xff",
    "\\\udcff",
    r"\x5cxff",
    r"a\x41",
    "猫\udc80",
    "\\",
    "x\\xe",
]


@given(st.binary().map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")))
def test_any_name_comes_back(name: str) -> None:
    [written] = hdf5.strings([name])
    assert hdf5.as_written(written.decode("utf-8")) == name


@given(st.text(alphabet="\\x5cfe8\udcff\udc80", max_size=12))
def test_names_that_look_escaped_come_back(name: str) -> None:
    [written] = hdf5.strings([name])
    assert hdf5.as_written(written.decode("utf-8")) == name


def test_names_that_are_text_stand_as_they_are() -> None:
    names = ["a b.mp4", "猫.mp4", "C:\\videos\\x.mp4", r"\section{x}", "é"]
    assert [name.decode() for name in hdf5.strings(names)] == names


@pytest.mark.parametrize("raw", [False, True])
def test_a_store_of_odd_names(tmp_path: Path, raw: bool) -> None:
    """``raw``: as stores of earlier versions hold them."""
    path, names = tmp_path / "a.h5", ODD if not raw else [name for name in ODD if "\\x" not in name]
    videos = [
        VideoFeatures(name, 3.0, spans_s=np.array([[0.0, 3.0]]), features={}, valid={}, path=name, title=name)
        for name in names
    ]
    failures = [Failure(f"{name}.x", "no_frames", name) for name in names]
    with pytest.MonkeyPatch.context() as patch:
        if raw:
            patch.setattr(hdf5, "escaped", lambda name: name)
        write_store(path, StoreHeader(5.0), videos, failures)
    merge_stores([Part(path)], tmp_path / "b.h5")
    for made in [tmp_path / "b.h5"] if raw else [path, tmp_path / "b.h5"]:
        with h5py.File(made) as file:
            for column in ("videos/id", "videos/path", "videos/title", "failures/path", "failures/message"):
                assert len(set(file[column].asstr()[:])) == len(names)
    for made in (path, tmp_path / "b.h5"):
        with FeatureStore(made) as store:
            assert list(store) == names
            assert list(store.paths) == list(store.titles) == names
            assert [store[name].path for name in names] == names
            assert [(f.path, f.message) for f in store.failures] == [(f"{name}.x", name) for name in names]
