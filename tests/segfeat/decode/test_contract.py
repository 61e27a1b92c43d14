"""One contract for every decoder on every kind of file: the right picture, the right sound, at the right time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segfeat.decode import DECODERS, DecodeError, VideoReader, open_video
from segfeat.decode.base import NEAR_S
from segfeat.decode.container import choose_video, open_container
from tests.media import FPS, Picture, read_number
from tests.segfeat.decode.cases import CASES
from tests.segfeat.decode.sequential import decode_sequentially

Media = Callable[[str], Path]
each_decoder = pytest.mark.parametrize("decoder", DECODERS)
each_case = pytest.mark.parametrize("name", CASES)
RATE = 16000


def open_or_skip(path: Path, decoder: str) -> VideoReader:
    try:
        return open_video(path, decoder)
    except DecodeError as error:
        if decoder != "decord" or error.code != "decoder_refused":
            raise
        pytest.skip(str(error))


def truth(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and numbers of what was encoded."""
    ticks = np.array(picture.pts or [40 * i for i in range(picture.count)])
    return ticks / (40 * picture.fps), np.arange(len(ticks)) + picture.first_number


@each_case
@each_decoder
def test_a_picture_is_the_one_on_screen(decoder: str, name: str, media_file: Media) -> None:
    path = media_file(name)
    reader = open_or_skip(path, decoder)
    with open_container(path) as container:
        index = choose_video(container, path).index
    expected = decode_sequentially(path, index, reader.info.fps, short_side=48)
    times = np.arange(0.0, reader.info.duration_s + 0.5, 0.11)
    frames = list(reader.frames(times, short_side=48))
    assert len(frames) == len(times)
    for time_s, frame in zip(times.tolist(), frames, strict=True):
        wanted = expected.on_screen(time_s)
        if frame is None:
            assert CASES[name].partial
            assert not np.any((expected.times_s <= time_s) & (expected.times_s > time_s - NEAR_S + 1 / reader.info.fps))
            continue
        assert frame.time_s == pytest.approx(expected.times_s[wanted], abs=1e-6)
        if reader.name == "pyav":
            np.testing.assert_array_equal(frame.image, expected.images[wanted])
        assert read_number(frame.image) == read_number(expected.images[wanted])


@each_decoder
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.picture])
def test_the_numbers_are_those_that_were_encoded(decoder: str, name: str, media_file: Media) -> None:
    reader = open_or_skip(media_file(name), decoder)
    picture = CASES[name].picture
    assert picture is not None
    begins, numbers = truth(picture)
    ends = np.append(begins[1:], begins[-1] + 1 / picture.fps)
    got = [frame and read_number(frame.image) for frame in reader.frames((begins + ends) / 2)]
    assert got == numbers.tolist()
    assert reader.info.duration_s == pytest.approx(ends[-1], abs=0.0015)
    assert not reader.problems


@each_decoder
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.sound])
def test_sound_lies_on_the_timeline_of_the_picture(decoder: str, name: str, media_file: Media) -> None:
    reader = open_or_skip(media_file(name), decoder)
    sound = CASES[name].sound
    assert sound is not None
    seconds = np.arange(np.ceil(max(sound.offset_s, 0.0)), sound.offset_s + sound.duration_s - 0.01)
    assert len(seconds)
    waves = list(reader.audio(np.stack([seconds - 0.25, seconds + 0.25], axis=1), RATE))
    for wave in waves:
        assert wave.dtype == np.float32
        assert len(wave) == RATE // 2
        loud = np.flatnonzero(np.abs(wave) > 0.25 * np.abs(wave).max())
        assert np.abs(wave).max() > 0.3
        assert (loud[0] / RATE, loud[-1] / RATE) == (pytest.approx(0.25, abs=0.003), pytest.approx(0.254, abs=0.003))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_decord_refuses_what_it_would_get_wrong(name: str, media_file: Media) -> None:
    with pytest.raises(DecodeError) as caught:
        open_video(media_file(name), "decord")
    assert caught.value.code == "decoder_refused"
    assert CASES[name].refused in str(caught.value)
    assert str(media_file(name)) in str(caught.value)


def test_decord_reads_ordinary_files(media_file: Media) -> None:
    ordinary = ["constant.mp4", "variable.mp4", "b_frames.mp4", "turned_90.mp4", "hevc.mp4", "vp9.webm", "ten_bit.mp4"]
    assert {open_video(media_file(name), "decord").name for name in ordinary} == {"decord"}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.partial])
def test_damage_is_reported(name: str, media_file: Media) -> None:
    reader = open_video(media_file(name))
    list(reader.frames(np.arange(0.0, reader.info.duration_s, 0.04)))
    assert reader.problems


@pytest.mark.parametrize(
    ("name", "size", "turn"),
    [
        ("turned_90.mp4", (96, 128), 90),
        ("turned_180.mp4", (128, 96), 180),
        ("turned_270.mov", (96, 128), 270),
        ("wide_pixels.mp4", (171, 96), 0),
        ("tall_pixels.mp4", (128, 192), 0),
        ("odd_444.mp4", (131, 97), 0),
    ],
)
def test_the_size_is_the_displayed_one(name: str, size: tuple[int, int], turn: int, media_file: Media) -> None:
    reader = open_video(media_file(name))
    assert (reader.info.width, reader.info.height, reader.info.rotation_deg) == (*size, turn)
    for short_side, short in [(None, min(size)), (48, 48), (1000, min(size))]:
        frame = next(reader.frames([0.0], short_side))
        assert frame is not None
        height, width = frame.image.shape[:2]
        assert min(height, width) == short
        assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_hole_is_bridged_by_near_pictures_only(media_file: Media) -> None:
    # Packets 30 to 89 are damaged, and the decoder needs a few more to pick up again.
    reader = open_video(media_file("damaged_long.mp4"))
    shown = list(reader.frames(np.arange(150) / FPS + 0.01))
    numbers = [None if frame is None else round(frame.time_s * FPS) for frame in shown]
    assert numbers[:30] == list(range(30))
    assert numbers[30:55] == [29] * 25
    assert numbers[55:90] == [None] * 35
    assert numbers[100:] == list(range(100, 150))


def test_the_first_picture_stands_in_for_damaged_ones_before_it(media_file: Media) -> None:
    shown = next(open_video(media_file("damaged_start.mp4")).frames([0.0]))
    assert shown is not None
    assert shown.time_s > 0
