"""What a store holds, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store.format import FORMAT_VERSION
from segfeat.store.reader import open_store
from segfeat.store.summary import LogSummary, summarise, summarise_videos
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures


@pytest.fixture
def path(
    tmp_path: Path,
    make_spec: Callable[..., EncoderSpec],
    make_video: Callable[..., VideoFeatures],
    make_log: Callable[..., Interactions],
) -> Path:
    """A talking video of 3 segments, one of them silent, and a silent, partial one of 1 segment."""
    header = StoreHeader(5.0, {"id": "stem"}, {"audio": make_spec("audio", 2), "visual": make_spec("visual", 4)})
    dims = {"audio": 2, "visual": 4}
    loud = make_video("loud", 12.0, dims, decoder="pyav", path="a/loud.mp4", segment_text=("Title hello", "Title", ""))
    mute = make_video("mute", 4.5, dims, status="partial", decoder="decord")
    for video, sound in ((loud, [True, False, True]), (mute, [False])):
        video.valid["audio"][:] = sound
        video.valid["visual"][:] = True
    failures = [Failure(f"{i}.mp4", "no_frames", "m") for i in range(2)] + [Failure("e.mp4", "empty_file", "m")]
    log = make_log(
        ("u", "loud", 1, 12_000, 0),  # completed by the store's duration
        ("u", "mute", 2, 4_000, 4_000),  # completed by the log's own
        ("v", "loud", 1, 11_999, 0),
        ("v", "loud", 2, 0, 12_000),  # watch time unknown: not judged
        ("w", "gone", 1, 5, 0),  # duration unknown: not judged
    )
    write_store(tmp_path / "store.h5", header, [loud, mute], failures, log)
    return tmp_path / "store.h5"


def test_counts(path: Path) -> None:
    with open_store(path) as store:
        summary = summarise(store)
    assert (summary.videos, summary.partial_videos, summary.segments, summary.failures) == (2, 1, 4, 3)
    assert summary.hours == pytest.approx(16.5 / 3600)
    assert summary.failure_codes == {"no_frames": 2, "empty_file": 1}
    assert summary.file_bytes == path.stat().st_size
    assert summary.format_version == FORMAT_VERSION
    assert len(summary.content_hash) == 64
    assert summary.parameters == {"id": "stem"}
    audio, visual = summary.modalities["audio"], summary.modalities["visual"]
    assert (audio.encoder.name, audio.segments, audio.videos) == ("test:audio", 2, 1)
    assert (visual.encoder.name, visual.segments, visual.videos) == ("test:visual", 4, 2)


def test_the_log_is_judged_by_its_own_durations_then_the_stores(path: Path) -> None:
    with open_store(path) as store:
        log = summarise(store).interactions
    assert log == LogSummary(views=5, users=3, videos=3, views_without_video=1, completed_share=2 / 3)


def test_videos(path: Path) -> None:
    with open_store(path) as store:
        loud, mute = summarise_videos(store)
    assert (loud.id, loud.path, loud.duration_s, loud.segments) == ("loud", "a/loud.mp4", 12.0, 3)
    assert (loud.status, loud.decoder, loud.sound_segments, loud.words) == ("ok", "pyav", 2, ("Title hello", "Title"))
    assert (mute.status, mute.decoder, mute.sound_segments, mute.words) == ("partial", "decord", 0, ())


def test_a_store_without_sound_features_log_or_videos(tmp_path: Path, make_log: Callable[..., Interactions]) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), [], interactions=make_log())
    with open_store(tmp_path / "store.h5") as store:
        summary = summarise(store)
        assert summarise_videos(store) == []
    assert (summary.videos, summary.hours, summary.modalities) == (0, 0.0, {})
    assert summary.interactions == LogSummary(0, 0, 0, 0, None)
    video = VideoFeatures("a", 3.0, np.array([[0.0, 3.0]]), {}, {})
    write_store(tmp_path / "store.h5", StoreHeader(5.0), [video])
    with open_store(tmp_path / "store.h5") as store:
        assert summarise(store).interactions is None
        assert summarise_videos(store)[0].sound_segments is None
