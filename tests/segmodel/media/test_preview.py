"""Previews: the best stretch, and a film whose pictures and sound are those of the source at those times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from segmodel.media.preview import PreviewClip, best_stretch, write_preview
from tests.media import FPS, Picture, Sound, make_video, read_number

# -- which stretch ----------------------------------------------------------------------------------------------------


def mean_interest(interest: np.ndarray, edges: np.ndarray, start: float, length: float) -> float:
    overlap = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    return float((interest * np.maximum(overlap, 0)).sum() / length)


@given(
    interest=st.lists(st.integers(-4, 4), min_size=1, max_size=8),
    last=st.floats(0.5, 5.0),
    seconds=st.floats(0.5, 50.0),
)
def test_no_other_stretch_is_better(interest: list[int], last: float, seconds: float) -> None:
    values = np.array(interest, float)
    edges = np.append(np.arange(len(values)) * 5.0, (len(values) - 1) * 5.0 + last)
    start, end, found = best_stretch(values, edges, seconds)
    length = min(seconds, edges[-1])
    assert start >= 0
    assert end <= edges[-1] + 1e-9
    assert end - start == pytest.approx(length)
    assert found == pytest.approx(mean_interest(values, edges, start, length))
    for other in np.linspace(0, edges[-1] - length, 200):
        assert mean_interest(values, edges, other, length) <= found + 1e-6


def test_of_equal_stretches_the_first_is_taken() -> None:
    assert best_stretch(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 5, 10, 15, 20]), 5.0) == (5.0, 10.0, 1.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="preview must be longer"):
        best_stretch(np.zeros(2), np.array([0.0, 5.0, 9.0]), seconds)


# -- the film ---------------------------------------------------------------------------------------------------------


def store_of(folder: Path, seconds: float, **fields: Any) -> FeatureStore:
    spans = segment_spans(seconds)
    video = VideoFeatures("v", seconds, spans, {}, {}, path="v.mp4", frame_time_s=spans.mean(1, keepdims=True))
    write_store(folder / "feats.h5", StoreHeader(5.0), [video], root=str(folder))
    return FeatureStore(folder / "feats.h5")


def film(path: Path) -> tuple[list[float], list[int], np.ndarray, Any]:
    """Times and numbers of the pictures, the sound at 48 kHz, and the picture's codec context."""
    times, numbers, sound = [], [], []
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        for frame in container.decode(video):
            times.append(float(frame.pts * frame.time_base))
            numbers.append(read_number(frame.to_ndarray(format="rgb24")))
        facts = (video.codec_context.name, video.codec_context.pix_fmt, video.width, video.height)
    with av.open(str(path)) as container:
        if container.streams.audio:
            audio = container.streams.audio[0]
            assert audio.codec_context.name == "aac"
            for frame in container.decode(audio):
                at = round(float(frame.pts * frame.time_base) * 48_000)
                sound.append((at, frame.to_ndarray()[0]))
    waveform = np.zeros(max((at + len(s) for at, s in sound), default=0), np.float32)
    for at, samples in sound:
        waveform[max(at, 0) : at + len(samples)] = samples[max(-at, 0) :]
    return times, numbers, waveform, facts


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of numbered pictures turned by 90 degrees, an odd 99 wide when shown, a click every second."""
    folder = tmp_path_factory.mktemp("film")
    pictures = Picture(count=12 * FPS, size=(128, 98), rotation=90, b_frames=2)
    make_video(folder / "v.mp4", [pictures], [Sound(duration_s=12.0)])
    return folder


def test_pictures_and_sound_are_those_of_the_source(source: Path, tmp_path: Path) -> None:
    with store_of(source, 12.0) as store:
        write_preview(PreviewClip("u", "v", 4.5, 10.5, 0.0), store, tmp_path / "p.mp4")
    times, numbers, sound, facts = film(tmp_path / "p.mp4")
    assert facts == ("h264", "yuv420p", 98, 128)  # upright
    assert times == pytest.approx(
        np.concatenate([[0.0], np.arange(np.ceil(4.5 * FPS), 10.5 * FPS) / FPS - 4.5]), abs=1e-4
    )
    assert numbers == [112, *range(113, 263)]  # the picture on screen at 4.5 s is number 112
    # A click at each whole second of the source, 0.5, 1.5 ... after the start, within 2 ms.
    for second in range(6):
        middle = round((second + 0.5) * 48_000)
        window = np.abs(sound[middle - 4800 : middle + 4800])
        loud = np.flatnonzero(window > 0.3)
        assert len(loud)
        assert (loud[0] - 4800) / 48_000 == pytest.approx(0.0, abs=0.002)
        assert np.abs(sound[middle + 2400 : middle + 40_000]).max() < 0.1
    assert len(sound) / 48_000 == pytest.approx(6.0, abs=0.03)


def test_browsers_need_not_read_to_the_end(source: Path, tmp_path: Path) -> None:
    with store_of(source, 12.0) as store:
        write_preview(PreviewClip("u", "v", 0.0, 1.0, 0.0), store, tmp_path / "p.mp4")
    content = (tmp_path / "p.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_a_silent_video_has_no_sound_track(tmp_path: Path) -> None:
    make_video(tmp_path / "v.mp4", [Picture(count=2 * FPS, size=(66, 50))])
    with store_of(tmp_path, 2.0) as store:
        write_preview(PreviewClip("u", "v", 0.5, 1.5, 0.0), store, tmp_path / "p.mp4")
    times, numbers, sound, _ = film(tmp_path / "p.mp4")
    assert len(sound) == 0
    assert numbers[0] == 12
    assert times[-1] < 1.0


def test_a_preview_appears_whole_or_not_at_all(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("the disk is full")
        yield

    monkeypatch.setattr("segmodel.media.preview._pictures", broken)
    with store_of(source, 12.0) as store, pytest.raises(ValueError, match="disk is full"):
        write_preview(PreviewClip("u", "v", 0.0, 1.0, 0.0), store, tmp_path / "p.mp4")
    assert list(tmp_path.iterdir()) == []
