"""Format 2 of the store stays readable: a pinned file, every field that it adds, and today's writer writes the same.

The file was made once by ``write_store(…)`` as in `test_todays_writer_writes_the_same_content`. It is never made again:
where this test fails, the reader or the writer has changed, and with it the version of the format must.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from segfeat.attribute import Attribute, Users
from segfeat.failures import Failure
from segfeat.interactions import Categories, Interactions
from segfeat.store import hdf5
from segfeat.store.conversion import compact
from segfeat.store.reader import FeatureStore, open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Line, StoreHeader, VideoFeatures

CONTENT_HASH = "6dedbe7848afb47d1210f926fb1ec78575e86b456c2ff0a9ee9b2cd410621169"

HEADER = StoreHeader(
    5.0,
    {"frame_position": "middle", "frames_per_segment": 1, "words": ["title", "speech of nobody"]},
    {
        "visual": EncoderSpec("pinned:visual", "visual", 2, "model 2", "none sha256:0", "mean of ünits"),
        "text": EncoderSpec(
            "pinned:text", "text", 1, "model 1", "none", "one vector a video, repeated over its segments: of the words"
        ),
    },
)

FIRST = VideoFeatures(
    video_id="pancake",
    duration_s=11.5,
    spans_s=np.array([[0, 5], [5, 10], [10, 11.5]]),
    features={
        "visual": np.array([[0.5, -1], [3, 65504], [0, 0]], np.float16),
        "text": np.array([[1], [1], [1]], np.float16),
    },
    valid={"visual": np.array([True, True, False]), "text": np.array([True, True, True])},
    path="food/pancake.mp4",
    title="Flipping a pancake",
    status="partial",
    decoder="pyav 18.0.0",
    frame_time_s=np.array([[2.5], [7.5], [np.nan]]),
    segment_text=("Flipping a pancake\nHallo, Wörld 字", "Flipping a pancake", ""),
    size_bytes=436346,
    mtime_ns=1_744_502_400_000_000_001,
    problems="3 pictures are missing from 9.5 s",
    words={
        "subtitles": ((Line(0.5, 2.0, "Hallo, Wörld 字"),), (), ()),
        "speech": ((Line(0.25, 0.5, "flip", 0.75), Line(4.5, 5.5, "it", 0.5)), (Line(4.5, 5.5, "it", 0.5),), ()),
    },
    attributes={"author": ("7",), "tag": ("food", "süß")},
)

SECOND = VideoFeatures(
    video_id="described",
    duration_s=0.0,
    spans_s=np.zeros((0, 2)),
    features={"visual": np.zeros((0, 2), np.float16), "text": np.zeros((0, 1), np.float16)},
    valid={"visual": np.zeros(0, bool), "text": np.zeros(0, bool)},
    title="Of unknown length",
    frame_time_s=np.zeros((0, 1)),
    attributes={"tag": ("food",)},
)

FAILURES = (Failure("broken.mp4", "not_a_video", "no container", 12, 34),)

LOG = Interactions(
    np.array(["u1", "ü2"], dtype=object),
    np.array(["pancake", "elsewhere"], dtype=object),
    np.array([0, 1, 0], np.int32),
    np.array([0, 0, 1], np.int32),
    np.array([1_744_502_400_000, 1_744_502_400_000, 1_744_502_460_000]),
    np.array([5000, 11_500, 0]),
    np.array([11_500, 0, 60_000]),
    context={"tab": Categories(np.array([1, -1, 0], np.int32), np.array(["feed", "süß"], dtype=object))},
)

USERS = Users(
    np.array(["ü2", "nobody"], dtype=object),
    {"city": Attribute.of([["Ulm", "Köln"], []]), "age": Attribute.of([["30-39"], ["?"]])},
)

ADDED = {
    "videos/problems": ("str", (2,)),
    "videos/attributes/author/names": ("str", (1,)),
    "videos/attributes/author/offset": ("int64", (3,)),
    "videos/attributes/author/codes": ("int32", (1,)),
    "videos/attributes/tag/names": ("str", (2,)),
    "videos/attributes/tag/offset": ("int64", (3,)),
    "videos/attributes/tag/codes": ("int32", (3,)),
    "segments/words/subtitles/offset": ("int64", (4,)),
    "segments/words/subtitles/text": ("str", (1,)),
    "segments/words/subtitles/time_s": ("float64", (1, 2)),
    "segments/words/subtitles/confidence": ("float32", (1,)),
    "segments/words/speech/offset": ("int64", (4,)),
    "segments/words/speech/text": ("str", (3,)),
    "segments/words/speech/time_s": ("float64", (3, 2)),
    "segments/words/speech/confidence": ("float32", (3,)),
    "interactions/context/tab/names": ("str", (2,)),
    "interactions/context/tab/codes": ("int32", (3,)),
    "users/id": ("str", (2,)),
    "users/attributes/city/names": ("str", (2,)),
    "users/attributes/city/offset": ("int64", (3,)),
    "users/attributes/city/codes": ("int32", (2,)),
    "users/attributes/age/names": ("str", (2,)),
    "users/attributes/age/offset": ("int64", (3,)),
    "users/attributes/age/codes": ("int32", (2,)),
}
"""What format 1 does not have."""


@pytest.fixture(scope="module")
def pinned(root: Path) -> Path:
    return root / "tests" / "data" / "format2.h5"


@pytest.fixture
def compacted(tmp_path: Path) -> Callable[[Path], FeatureStore]:
    """A function that writes a store anew in parts, and opens it."""

    def write(path: Path) -> FeatureStore:
        compact(path, tmp_path / path.stem)
        return open_store(tmp_path / path.stem)

    return write


def assert_content(store: FeatureStore) -> None:
    assert (store.format_version, store.header, store.root) == (2, HEADER, "/films")
    assert store.content_hash == CONTENT_HASH
    assert list(store) == ["pancake", "described"]
    assert store.failures == FAILURES
    assert store.encoders["text"].per_video
    for expected in (FIRST, SECOND):
        video = store[expected.video_id]
        for name in ("duration_s", "path", "title", "status", "decoder", "size_bytes", "mtime_ns", "problems"):
            assert getattr(video, name) == getattr(expected, name), name
        assert video.segment_text == expected.segment_text
        np.testing.assert_array_equal(video.spans_s, expected.spans_s)
        np.testing.assert_array_equal(video.frame_time_s, expected.frame_time_s)
        for modality in HEADER.encoders:
            np.testing.assert_array_equal(video.features[modality], expected.features[modality])
            np.testing.assert_array_equal(video.valid[modality], expected.valid[modality])
    assert store["pancake"].attributes == FIRST.attributes
    assert store["described"].attributes == {"author": (), "tag": ("food",)}
    words = store["pancake"].words
    assert words["speech"] == FIRST.words["speech"]
    ((cue,), *others) = words["subtitles"]
    assert (cue.start_s, cue.end_s, cue.text, np.isnan(cue.confidence)) == (0.5, 2.0, "Hallo, Wörld 字", True)
    assert others == [(), ()]
    assert store.users.ids.tolist() == ["ü2", "nobody"]
    assert {name: [a[0], a[1]] for name, a in store.user_attributes.items()} == {
        "city": [("Ulm", "Köln"), ()],
        "age": [("30-39",), ("?",)],
    }
    log = store.interactions
    assert log is not None
    assert log.fingerprint() == LOG.fingerprint()
    assert log.context["tab"].names.tolist() == ["feed", "süß"]


def test_the_pinned_file_reads_as_it_always_did(pinned: Path) -> None:
    with open_store(pinned) as store:
        assert_content(store)


def test_todays_writer_writes_the_same_content(tmp_path: Path) -> None:
    write_store(tmp_path / "store.h5", HEADER, [FIRST, SECOND], FAILURES, LOG, root="/films", users=USERS)
    with open_store(tmp_path / "store.h5") as store:
        assert_content(store)


def test_names_types_and_shapes_are_those_of_the_specification(pinned: Path) -> None:
    found: dict[str, object] = {}

    def visit(name: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = ("str" if h5py.check_string_dtype(node.dtype) else str(node.dtype), node.shape)

    with h5py.File(pinned) as file:
        file.visititems(visit)
    assert {name: found[name] for name in ADDED if name in found} == ADDED
    assert not [name for name in found if name.count("/") > 1 and name not in ADDED]


def test_the_hash_in_the_pinned_file_is_that_of_its_content(pinned: Path) -> None:
    with h5py.File(pinned) as file:
        assert hdf5.content_hash(file) == CONTENT_HASH


def test_both_formats_are_joined_and_copied_as_they_were(
    root: Path, pinned: Path, compacted: Callable[[Path], FeatureStore]
) -> None:
    for path in (pinned, root / "tests" / "data" / "format1.h5"):
        with open_store(path) as store, compacted(path) as copy:
            assert list(copy) == list(store)
            assert copy.interactions is not None
            assert store.interactions is not None
            assert copy.interactions.fingerprint() == store.interactions.fingerprint()
            assert {n: list(map(a.__getitem__, range(len(a)))) for n, a in copy.video_attributes.items()} == {
                n: list(map(a.__getitem__, range(len(a)))) for n, a in store.video_attributes.items()
            }
            for video_id in store:
                np.testing.assert_array_equal(copy[video_id].visual, store[video_id].visual)
                assert repr(copy[video_id].words) == repr(store[video_id].words)
