from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from examples.world.film import PICTURES_PER_S, SIZE, Script, film
from examples.world.sound import SAMPLE_RATE
from examples.world.topics import TOPICS
from examples.world.words import srt


def _script(topics: tuple[int, ...], duration_ms: int, seed: int = 0, sound: bool = True) -> Script:
    return Script(f"v{seed}", topics, duration_ms, sound, True, True, (seed, 0))


def _pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes of every topic, five seconds each."""
    folder = tmp_path_factory.mktemp("filmed")
    for k in range(len(TOPICS)):
        for take in range(2):
            film(Script(f"{k}-{take}", (k,), 5000, True, True, True, (take, k)), folder)
    return folder


def test_a_video_has_the_length_and_form_it_should(tmp_path: Path) -> None:
    assert film(_script((0, 0, 3), 12_200), tmp_path)
    with av.open(str(tmp_path / "v0.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == SIZE
        assert (audio.codec_context.name, audio.rate) == ("aac", SAMPLE_RATE)
        packets = [packet for packet in container.demux(video) if packet.pts is not None]
    ends = [float((packet.pts + packet.duration) * packet.time_base) for packet in packets]
    assert float(packets[0].pts * packets[0].time_base) == 0
    assert max(ends) == pytest.approx(12.2, abs=1e-6)
    assert len(packets) == round(12.2 * PICTURES_PER_S)
    assert all(packet.pts == packet.dts for packet in packets), "B-frames bring edit lists, which some readers mistake"
    assert len(_sound(tmp_path / "v0.mp4")) / SAMPLE_RATE == pytest.approx(12.2, abs=0.2)
    data = (tmp_path / "v0.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser must not read the whole file before it can start"


def test_filming_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        film(_script((1, 2), 6_000), tmp_path / name)
    for file in ("v0.mp4", "v0.srt"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_silence_is_no_sound_at_all(tmp_path: Path) -> None:
    film(_script((4,), 2_000, sound=False), tmp_path)
    with av.open(str(tmp_path / "v0.mp4")) as container:
        assert not container.streams.audio


def test_pictures_move_and_scenes_change(tmp_path: Path) -> None:
    film(_script((0, 0, 3), 15_000, sound=False), tmp_path)
    pictures = _pictures(tmp_path / "v0.mp4").astype(float)
    step = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    cut = 10 * PICTURES_PER_S - 1
    assert step.argmax() == cut
    assert step[cut] > 3 * np.delete(step, cut).max()
    assert np.median(step) > 0.3


def _nearest(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return ((second[:, None] - first[None]) ** 2).sum(axis=-1).argmin(axis=1)


def test_topics_look_different(filmed: Path) -> None:
    looks = np.array(
        [
            [
                _pictures(filmed / f"{k}-{take}.mp4")[::10]
                .reshape(-1, 2, 128, *SIZE[:1], 3)
                .mean(axis=(0, 2, 3))
                .ravel()
                for k in range(len(TOPICS))
            ]
            for take in range(2)
        ]
    )
    np.testing.assert_array_equal(_nearest(looks[0], looks[1]), np.arange(len(TOPICS)))


def test_topics_sound_different(filmed: Path) -> None:
    bands = np.geomspace(50, 8000, 13)

    def spectrum(sound: np.ndarray) -> np.ndarray:
        power = np.abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        level = [power[(hertz >= low) & (hertz < high)].mean() for low, high in pairwise(bands)]
        return np.log10(np.array(level) + 1e-3)

    sounds = np.array([[spectrum(_sound(filmed / f"{k}-{take}.mp4")) for k in range(len(TOPICS))] for take in range(2)])
    np.testing.assert_array_equal(_nearest(sounds[0], sounds[1]), np.arange(len(TOPICS)))
    loudest = [np.abs(_sound(filmed / f"{k}-0.mp4")).max() for k in range(len(TOPICS))]
    assert min(loudest) > 0.1
    assert max(loudest) <= 1.05


def test_topics_share_no_words() -> None:
    words = [word for topic in TOPICS for word in topic.words]
    assert len(words) == len(set(words))
    assert all(len(topic.words) >= 15 for topic in TOPICS)


def test_subtitles_say_the_segments_words_inside_the_segment(tmp_path: Path) -> None:
    script = _script((2, 5), 7_000, sound=False)
    film(script, tmp_path)
    blocks = (tmp_path / "v0.srt").read_text(encoding="utf-8").strip().split("\n\n")
    assert [block.split("\n")[1] for block in blocks] == [
        "00:00:00,500 --> 00:00:04,500",
        "00:00:05,200 --> 00:00:06,800",
    ]
    for block, topic in zip(blocks, script.topics, strict=True):
        said = set(block.replace(",", " ").split())
        assert len(said & set(TOPICS[topic].words)) >= 2
        assert not any(said & set(other.words) for k, other in enumerate(TOPICS) if k != topic)


def test_srt_times() -> None:
    assert srt([(3661.5, 3662.0, "late")]) == "1\n01:01:01,500 --> 01:01:02,000\nlate\n"
