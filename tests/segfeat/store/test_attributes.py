"""Attributes of videos and users, and the context of views, in a store: written, merged, read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from segfeat.attribute import Attribute, Users
from segfeat.interactions import Categories, Interactions
from segfeat.store.merge import Part, merge_stores
from segfeat.store.reader import open_store
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures

Make = Callable[..., VideoFeatures]

USERS = Users(np.array(["u", "ü"], dtype=object), {"city": Attribute.of([["Ulm"], []])})


@pytest.fixture
def videos(make_video: Make) -> list[VideoFeatures]:
    known = [{"tags": ("food", "dance"), "author": ("7",)}, {}, {"tags": ("dance",), "author": ("8",)}, {"tags": ()}]
    return [make_video(f"v{i}", 3.0, attributes=a, path=f"{i}.mp4") for i, a in enumerate(known)]


@pytest.fixture
def log(make_log: Callable[..., Interactions]) -> Interactions:
    log = make_log(("u", "v0", 1, 1, 3000), ("w", "v2", 2, 1, 3000), ("w", "v0", 3, 1, 3000))
    names = np.array(["feed", "search"], dtype=object)
    return replace(log, context={"tab": Categories(np.array([1, -1, 0], np.int32), names)})


def test_they_come_back(tmp_path: Path, videos: list[VideoFeatures], log: Interactions) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), videos, interactions=log, users=USERS)
    with open_store(tmp_path / "store.h5") as store:
        assert store.format_version == 2
        tags, author = store.video_attributes["tags"], store.video_attributes["author"]
        assert tags.names.tolist() == ["food", "dance"]
        assert [tags[v] for v in range(4)] == [("food", "dance"), (), ("dance",), ()]
        assert [author[v] for v in range(4)] == [("7",), (), ("8",), ()]
        assert store["v2"].attributes == {"author": ("8",), "tags": ("dance",)}
        assert store.users.ids.tolist() == ["u", "ü"]
        assert [store.user_attributes["city"][u] for u in range(2)] == [("Ulm",), ()]
        assert store.interactions is not None
        codes, names = store.interactions.context["tab"]
        assert (codes.tolist(), names.tolist()) == ([1, -1, 0], ["feed", "search"])
        assert store.interactions.fingerprint() == log.fingerprint() != replace(log, context={}).fingerprint()


def test_numbers_can_be_memory_mapped(tmp_path: Path, videos: list[VideoFeatures]) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), videos)
    with h5py.File(tmp_path / "store.h5") as file:
        codes = file["videos/attributes/tags/codes"]
        mapped = np.memmap(tmp_path / "store.h5", codes.dtype, "r", codes.id.get_offset(), codes.shape)
        assert mapped.tolist() == [0, 1, 1]


def test_a_store_without_them_has_none(tmp_path: Path, make_video: Make) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), [make_video("v")])
    with open_store(tmp_path / "store.h5") as store:
        assert (store.video_attributes, store.user_attributes, len(store.users)) == ({}, {}, 0)
        assert store["v"].attributes == {}


def test_merged_parts_are_the_store_written_at_once(tmp_path: Path, videos: list[VideoFeatures]) -> None:
    write_store(tmp_path / "whole.h5", StoreHeader(5.0), videos, users=USERS)
    write_store(tmp_path / "0.h5", StoreHeader(5.0), videos[:1], users=USERS)
    write_store(tmp_path / "1.h5", StoreHeader(5.0), videos[1:2])
    write_store(tmp_path / "2.h5", StoreHeader(5.0), videos[2:], users=USERS)
    merge_stores([tmp_path / f"{i}.h5" for i in range(3)], tmp_path / "merged.h5")
    with open_store(tmp_path / "whole.h5") as whole, open_store(tmp_path / "merged.h5") as merged:
        assert whole.content_hash == merged.content_hash
        assert merged.users.ids.tolist() == ["u", "ü"]


def test_categories_of_videos_left_out_go_with_them(tmp_path: Path, videos: list[VideoFeatures]) -> None:
    write_store(tmp_path / "all.h5", StoreHeader(5.0), videos)
    merge_stores([Part(tmp_path / "all.h5", frozenset({"0.mp4"}))], tmp_path / "less.h5")
    with open_store(tmp_path / "less.h5") as store:
        assert store.video_attributes["tags"].names.tolist() == ["dance"]
        assert store["v2"].attributes == {"author": ("8",), "tags": ("dance",)}


@pytest.mark.parametrize("name", ["a/b", "", ".."])
def test_names_that_are_paths_are_refused(tmp_path: Path, make_video: Make, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an attribute"):
        write_store(tmp_path / "store.h5", StoreHeader(5.0), [make_video("v", attributes={name: ("x",)})])
    assert list(tmp_path.iterdir()) == []


def test_a_video_of_unknown_length_has_no_segments_but_attributes(tmp_path: Path, make_video: Make) -> None:
    empty = np.zeros((0, 2))
    unknown = VideoFeatures("new", 0.0, empty, {}, {}, frame_time_s=np.zeros((0, 0)), attributes={"tags": ("food",)})
    write_store(tmp_path / "a.h5", StoreHeader(5.0), [unknown, make_video("v", 12.0), replace(unknown, video_id="b")])
    merge_stores([tmp_path / "a.h5"], tmp_path / "b.h5")
    for name in ("a.h5", "b.h5"):
        with open_store(tmp_path / name) as store:
            assert store.offset.tolist() == [0, 0, 3, 3]
            assert store["new"].spans_s.shape == (0, 2)
            assert store["b"].attributes == {"tags": ("food",)}
    with pytest.raises(ValueError, match="has 0 segments, but lasts 3 s"):
        write_store(tmp_path / "c.h5", StoreHeader(5.0), [replace(unknown, duration_s=3.0)])
