"""Videos that people made, where they are at hand: a folder ``shared/videos`` beside the checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segfeat.decode import DecodeError, open_video
from segfeat.decode.container import choose_video, open_container
from segfeat.segment import frame_times, segment_spans
from tests.segfeat.decode.sequential import decode_sequentially

FOLDER = Path(__file__).parents[4] / "shared" / "videos"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no real videos in {FOLDER}")

# name: (duration in s, displayed width and height, sound, text track, whole)
KNOWN = {
    "corrupted.mp4": (5.0, 1280, 720, False, False, False),
    "flipping_a_pancake.mkv": (10.333, 426, 240, True, False, True),
    "h265_video.mp4": (1.0, 128, 128, False, False, True),
    "nasa_13013.mp4": (13.013, 480, 270, True, True, True),
    "v_GGSY1Qvo990.mp4": (18.0938, 320, 240, True, False, True),
    "vid1.mp4": (2.24, 640, 360, True, False, True),
    "video_90.mov": (0.1, 320, 568, False, False, True),
}
REFUSED = {"corrupted.mp4": "damage", "h265_video.mp4": "open groups", "vid1.mp4": "edit list"}


@pytest.mark.parametrize("name", KNOWN)
def test_what_they_hold(name: str) -> None:
    duration_s, width, height, sound, text, whole = KNOWN[name]
    reader = open_video(FOLDER / name)
    assert reader.info.duration_s == pytest.approx(duration_s, abs=1e-3)
    assert (reader.info.width, reader.info.height) == (width, height)
    assert (reader.info.has_audio, reader.info.has_subtitles) == (sound, text)
    spans = segment_spans(reader.info.duration_s)
    assert all(frame is not None for frame in reader.frames(frame_times(spans).ravel(), 224))
    lengths = [len(wave) for wave in reader.audio(spans, 16000)]
    assert lengths == [round((end - start) * 16000) * sound for start, end in spans.tolist()]
    assert bool(reader.cues()) == text
    assert bool(reader.problems) != whole


@pytest.mark.parametrize("decoder", ["auto", "decord"])
@pytest.mark.parametrize("name", KNOWN)
def test_their_pictures_are_those_of_a_plain_decode(name: str, decoder: str) -> None:
    path = FOLDER / name
    if decoder == "decord" and name in REFUSED:
        with pytest.raises(DecodeError, match=REFUSED[name]):
            open_video(path, decoder)
        return
    reader = open_video(path, decoder)
    with open_container(path) as container:
        index = choose_video(container, path).index
    expected = decode_sequentially(path, index, reader.info.fps, 64)
    times = np.arange(0, reader.info.duration_s, 0.77)
    for time_s, frame in zip(times.tolist(), reader.frames(times, 64), strict=True):
        assert frame is not None
        shown = expected.on_screen(time_s)
        assert frame.time_s == pytest.approx(expected.times_s[shown], abs=1e-5)
        tolerance = 0 if reader.name == "pyav" else 3.0  # decord converts colours its own way
        assert np.abs(frame.image.astype(float) - expected.images[shown]).mean() <= tolerance
