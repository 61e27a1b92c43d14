"""Where raw videos lie, and what is said when they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from segmodel.media.raw_video import open_raw_video, raw_video


@pytest.fixture
def place(tmp_path: Path, make_video: Callable[..., VideoFeatures]) -> Callable[..., FeatureStore]:
    """A function that writes a store whose one video is ``sub/v.mp4`` below a root."""
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "here" / "sub" / "v.mp4").write_bytes(b"not really")

    def make(root: str = "here", path: str = "sub/v.mp4") -> FeatureStore:
        whole = str(tmp_path / root) if root else ""
        write_store(tmp_path / "s.h5", StoreHeader(5.0), [make_video("v", path=path)], root=whole)
        return FeatureStore(tmp_path / "s.h5")

    return make


def test_the_stores_root_or_another(place: Callable[..., FeatureStore], tmp_path: Path) -> None:
    assert raw_video(place(), "v") == tmp_path / "here" / "sub" / "v.mp4"
    assert raw_video(place(root="gone"), "v", tmp_path / "here") == tmp_path / "here" / "sub" / "v.mp4"


def test_moved_videos_name_the_option(place: Callable[..., FeatureStore], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.*v\.mp4: the raw video of 'v' is not there.*--videos ROOT"):
        raw_video(place(root="gone"), "v")
    with pytest.raises(ValueError, match=r"--videos ROOT"):
        raw_video(place(), "v", tmp_path)
    with pytest.raises(ValueError, match=r"does not know where its videos lie.*--videos ROOT"):
        raw_video(place(root=""), "v")


def test_what_never_had_a_file(place: Callable[..., FeatureStore]) -> None:
    with pytest.raises(ValueError, match="came from a log"):
        raw_video(place(path=""), "v")
    with pytest.raises(ValueError, match="no video 'w'"):
        raw_video(place(), "w")


def test_a_file_that_is_no_video(place: Callable[..., FeatureStore]) -> None:
    with pytest.raises(ValueError, match=r"v\.mp4: not readable as a video"):
        open_raw_video(place(), "v")
