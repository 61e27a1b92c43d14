"""Writing stores: all or nothing, hashed by content, and nothing that does not fit."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from segfeat.failures import Failure
from segfeat.store import hdf5, writer
from segfeat.store.reader import open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

DIMS = {"visual": 4}

Make = Callable[..., VideoFeatures]


@pytest.fixture(scope="module")
def header(make_spec: Callable[..., EncoderSpec]) -> StoreHeader:
    return StoreHeader(5.0, {}, {"visual": make_spec("visual", 4)})


def content_hash(path: Path) -> str:
    with open_store(path) as store:
        return store.content_hash


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_hash_follows_the_content_and_nothing_else(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    video = make_video("a", 12.0, DIMS, seed=1)
    changed = video.features["visual"].copy()
    changed[0, 0] += 1
    variants = {
        "same": (header, video, ()),
        "feature": (header, replace(video, features={"visual": changed}), ()),
        "valid": (header, replace(video, valid={"visual": ~video.valid["visual"]}), ()),
        "text": (header, replace(video, segment_text=("a", "", "")), ()),
        "status": (header, replace(video, status="partial"), ()),
        "moved text": (header, replace(video, segment_text=("", "a", "")), ()),
        "title": (header, replace(video, title="a"), ()),
        "parameter": (replace(header, parameters={"x": 1}), video, ()),
        "failure": (header, video, (Failure("b", "timeout", ""),)),
    }
    hashes = {}
    for name, (its_header, its_video, its_failures) in variants.items():
        write_store(tmp_path / f"{name}.h5", its_header, [its_video], its_failures)
        hashes[name] = content_hash(tmp_path / f"{name}.h5")
    assert len(set(hashes.values())) == len(variants)
    write_store(tmp_path / "again.h5", header, [make_video("a", 12.0, DIMS, seed=1)], root="/somewhere/else")
    assert content_hash(tmp_path / "again.h5") == hashes["same"]


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_features_beyond_half_precision_are_refused(
    tmp_path: Path, header: StoreHeader, make_video: Make, bad: float
) -> None:
    video = make_video("a", 12.0, DIMS)
    values = video.visual.astype(np.float32)
    values[2, 3] = bad
    with pytest.raises(ValueError, match="video 'a': visual features are not finite in half precision"):
        write_store(tmp_path / "store.h5", header, [replace(video, features={"visual": values})])
    assert names(tmp_path) == []


def test_two_videos_of_one_id_are_refused(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    with pytest.raises(ValueError, match="video id 'a' stands twice"):
        write_store(tmp_path / "store.h5", header, [make_video("a", 7.0, DIMS), make_video("a", 8.0, DIMS)])
    assert names(tmp_path) == []


def test_videos_that_do_not_fit_the_header_are_refused(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    def write(video: VideoFeatures) -> None:
        write_store(tmp_path / "store.h5", header, [video])

    video = make_video("a", 12.0, DIMS)
    with pytest.raises(ValueError, match=r"has features \['audio', 'visual'\], expected \['visual'\]"):
        write(make_video("a", 12.0, {"visual": 4, "audio": 2}))
    with pytest.raises(ValueError, match=r"visual features are \(3, 5\), expected \(3, 4\)"):
        write(make_video("a", 12.0, {"visual": 5}))
    with pytest.raises(ValueError, match=r"visual features are \(2, 4\), expected \(3, 4\)"):
        write(replace(video, features={"visual": video.visual[:2]}))
    with pytest.raises(ValueError, match="'a' has 0 segments, but lasts"):
        write(replace(video, spans_s=np.zeros((0, 2))))
    with pytest.raises(ValueError, match="status 'fine'; valid are ok, partial"):
        write(replace(video, status="fine"))
    with pytest.raises(ValueError, match="2 texts for 3 segments"):
        write(replace(video, segment_text=("a", "b")))
    with pytest.raises(ValueError, match="1 thumbnails for 3 segments"):
        write(replace(video, thumbnails=(b"x",)))
    with pytest.raises(ValueError, match=r"frame times are \(2, 1\), expected \(3, 1\)"):
        write(replace(video, frame_time_s=video.frame_time_s[:2]))
    assert names(tmp_path) == []


# -- all or nothing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "step"), [(hdf5, "create"), (hdf5, "content_hash"), (writer, "finish")])
@pytest.mark.parametrize("existing", [False, True])
def test_a_failure_while_writing_leaves_what_was_there(
    tmp_path: Path,
    header: StoreHeader,
    make_video: Make,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    step: str,
    existing: bool,
) -> None:
    out = tmp_path / "store.h5"
    if existing:
        write_store(out, header, [make_video("old", 7.0, DIMS)])
    before = out.read_bytes() if existing else None

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_store(out, header, [make_video("new", 12.0, DIMS)])
    monkeypatch.undo()
    assert names(tmp_path) == (["store.h5"] if existing else [])
    assert (out.read_bytes() if existing else None) == before


def test_the_file_is_synced_before_it_gets_its_name(
    tmp_path: Path, header: StoreHeader, make_video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, order = tmp_path / "store.h5", []
    sync, rename = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        order.append("sync")
        assert out.exists() == ("rename" in order)
        sync(handle)

    def noted_rename(source: Path, target: Path) -> None:
        order.append("rename")
        with h5py.File(source) as file:  # complete before it is renamed
            assert "content_hash" in file.attrs
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_rename)
    write_store(out, header, [make_video("a", 7.0, DIMS)])
    assert order == ["sync", "rename", "sync"]  # the file, its name, the folder that has the name
    assert names(tmp_path) == ["store.h5"]


def test_an_absent_folder_is_an_os_error_and_creates_nothing(tmp_path: Path, header: StoreHeader) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        write_store(tmp_path / "nowhere" / "store.h5", header, [])
    assert names(tmp_path) == []
