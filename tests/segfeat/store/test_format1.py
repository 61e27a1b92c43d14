"""Format 1 of the store stays readable: a pinned file, every field of it, and today's writer writes the same.

The file was made once by ``write_store(…, *CONTENT, root="/films")`` below. It is never made again: where this test
fails, the reader or the writer has changed, and with it the version of the format must.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store import hdf5
from segfeat.store.reader import FeatureStore, open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

CONTENT_HASH = "8d67bd2ee7e845bd9c57002ab0e4bde4f2d62a8ed4cbafaffad278400e1a32cc"


def spec(modality: str, dim: int) -> EncoderSpec:
    return EncoderSpec(f"pinned:{modality}", modality, dim, f"model {dim}", "none sha256:0", "mean of ünits")


HEADER = StoreHeader(
    5.0,
    {"frame_position": "middle", "frames_per_segment": 2, "id": "stem"},
    {"visual": spec("visual", 3), "audio": spec("audio", 2), "text": spec("text", 1)},
)

FIRST = VideoFeatures(
    video_id="pancake",
    duration_s=11.5,
    spans_s=np.array([[0, 5], [5, 10], [10, 11.5]]),
    features={
        "visual": np.array([[0.5, -1, 2], [3, 65504, 0], [0.25, 0, 0]], np.float16),
        "audio": np.array([[1, 2], [0, 0], [3, 4]], np.float16),
        "text": np.array([[1], [0], [0]], np.float16),
    },
    valid={
        "visual": np.array([True, True, True]),
        "audio": np.array([True, False, True]),
        "text": np.array([True, False, False]),
    },
    path="food/pancake.mp4",
    title="Flipping a pancake",
    status="partial",
    decoder="pyav 18.0.0",
    frame_time_s=np.array([[1.25, 3.75], [6.25, np.nan], [10.375, 11.125]]),
    segment_text=("Flipping a pancake\nHallo, Wörld 字", "", ""),
    thumbnails=(b"RIFF", b"", b"WEBP\x00\xff"),
    size_bytes=436346,
    mtime_ns=1_744_502_400_000_000_001,
)

SECOND = VideoFeatures(
    video_id="vidéo",
    duration_s=0.3,
    spans_s=np.array([[0, 0.3]]),
    features={m: np.zeros((1, HEADER.encoders[m].dim), np.float16) for m in HEADER.encoders},
    valid={m: np.array([m == "visual"]) for m in HEADER.encoders},
    frame_time_s=np.array([[0.0, 0.2]]),
)

FAILURES = (Failure("broken.mp4", "not_a_video", "no container", 12, 34), Failure("gone.mp4", "not_found", "vanished"))

LOG = Interactions(
    np.array(["u1", "ü2"], dtype=object),
    np.array(["pancake", "elsewhere"], dtype=object),
    np.array([0, 1, 0], np.int32),
    np.array([0, 0, 1], np.int32),
    np.array([1_744_502_400_000, 1_744_502_400_000, 1_744_502_460_000]),
    np.array([5000, 11_500, 0]),
    np.array([11_500, 0, 60_000]),
)

CONTENT = (HEADER, [FIRST, SECOND], FAILURES, LOG)

DATASETS = {
    "videos/id": ("str", (2,)),
    "videos/path": ("str", (2,)),
    "videos/title": ("str", (2,)),
    "videos/duration_s": ("float64", (2,)),
    "videos/offset": ("int64", (3,)),
    "videos/status": ("str", (2,)),
    "videos/decoder": ("str", (2,)),
    "videos/size_bytes": ("int64", (2,)),
    "videos/mtime_ns": ("int64", (2,)),
    "segments/span_s": ("float64", (4, 2)),
    "segments/frame_time_s": ("float64", (4, 2)),
    "segments/text": ("str", (4,)),
    "features/visual": ("float16", (4, 3)),
    "features/audio": ("float16", (4, 2)),
    "features/text": ("float16", (4, 1)),
    "valid/visual": ("bool", (4,)),
    "valid/audio": ("bool", (4,)),
    "valid/text": ("bool", (4,)),
    "thumbnails/offset": ("int64", (5,)),
    "thumbnails/data": ("uint8", (10,)),
    "failures/path": ("str", (2,)),
    "failures/code": ("str", (2,)),
    "failures/message": ("str", (2,)),
    "failures/size_bytes": ("int64", (2,)),
    "failures/mtime_ns": ("int64", (2,)),
    "interactions/user_id": ("str", (2,)),
    "interactions/video_id": ("str", (2,)),
    "interactions/user": ("int32", (3,)),
    "interactions/video": ("int32", (3,)),
    "interactions/time_ms": ("int64", (3,)),
    "interactions/watch_ms": ("int64", (3,)),
    "interactions/duration_ms": ("int64", (3,)),
}


@pytest.fixture(scope="module")
def pinned(root: Path) -> Path:
    return root / "tests" / "data" / "format1.h5"


def assert_content(store: FeatureStore) -> None:
    assert store.header == HEADER
    assert store.root == "/films"
    assert store.content_hash == CONTENT_HASH
    assert list(store) == ["pancake", "vidéo"]
    assert store.failures == FAILURES
    for expected in (FIRST, SECOND):
        video = store[expected.video_id]
        for name in ("duration_s", "path", "title", "status", "decoder", "size_bytes", "mtime_ns"):
            assert getattr(video, name) == getattr(expected, name), name
        np.testing.assert_array_equal(video.spans_s, expected.spans_s)
        np.testing.assert_array_equal(video.frame_time_s, expected.frame_time_s)
        assert video.features.keys() == video.valid.keys() == HEADER.encoders.keys()
        for modality in HEADER.encoders:
            np.testing.assert_array_equal(video.features[modality], expected.features[modality])
            np.testing.assert_array_equal(video.valid[modality], expected.valid[modality])
    assert store["pancake"].segment_text == FIRST.segment_text
    assert store["vidéo"].segment_text == ("",)
    assert store["pancake"].thumbnails == FIRST.thumbnails
    assert store["vidéo"].thumbnails == (b"",)
    log = store.interactions
    assert log is not None
    assert log.fingerprint() == LOG.fingerprint()


def test_the_pinned_file_reads_as_it_always_did(pinned: Path) -> None:
    with open_store(pinned) as store:
        assert store.format_version == 1
        assert_content(store)
        assert (store.video_attributes, len(store.users)) == ({}, 0)


def test_todays_writer_writes_the_same_content(tmp_path: Path) -> None:
    header, videos, failures, log = CONTENT
    write_store(tmp_path / "store.h5", header, videos, failures, log, root="/films")
    with open_store(tmp_path / "store.h5") as store:
        assert_content(store)


def test_names_types_and_shapes_are_those_of_the_specification(pinned: Path) -> None:
    found = {}

    def visit(name: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = ("str" if h5py.check_string_dtype(node.dtype) else str(node.dtype), node.shape)

    with h5py.File(pinned) as file:
        file.visititems(visit)
        assert sorted(file.attrs) == ["content_hash", "format", "format_version", "parameters", "root", "segment_s"]
    assert found == DATASETS


def test_the_hash_in_the_pinned_file_is_that_of_its_content(pinned: Path) -> None:
    with h5py.File(pinned) as file:
        assert hdf5.content_hash(file) == CONTENT_HASH
