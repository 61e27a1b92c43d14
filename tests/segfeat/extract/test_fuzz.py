"""Mutated files: the job ends, every file is accounted for, and what counts as read well shows the right pictures.

There is one exception: where neither the container nor the codec has checksums (HEVC in mp4 above all), a bit flipped
inside a compressed picture can give another picture that is as valid as the first, and no decoder notices.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segfeat.extraction import ExtractSummary
from segfeat.store.reader import open_store
from tests.media import FPS, Picture, Sound, make_video, read_number

SECONDS = 3
ORIGINALS = {
    "h264.mp4": Picture(count=FPS * SECONDS, b_frames=2),
    "hevc.mp4": Picture(count=FPS * SECONDS, codec="libx265"),
    "hevc.mkv": Picture(count=FPS * SECONDS, codec="libx265"),
    "vp9.webm": Picture(count=FPS * SECONDS, codec="libvpx-vp9"),
}
SUBTITLES = b"1\n00:00:00,500 --> 00:00:01,500\nfirst words\n\n2\n00:00:01,700 --> 00:00:02,500\nlast <i>words</i>\n"

OUTCOMES = ("failed", "flagged", "right", "unnoticed")

UNNOTICED = 0.025
"""Share of mutated files whose damage nothing gives away."""

Random = random.Random


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that are mutated, by name."""
    folder = tmp_path_factory.mktemp("originals")
    sound = {"vp9.webm": Sound(SECONDS, rate=48000, codec="libopus")}
    return {
        name: make_video(folder / name, [picture], [sound.get(name, Sound(SECONDS))]).read_bytes()
        for name, picture in ORIGINALS.items()
    }


def flip_bits(data: bytearray, dice: Random) -> None:
    """Flip one to a hundred bits anywhere."""
    for _ in range(dice.choice((1, 3, 10, 100))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def cut_off(data: bytearray, dice: Random) -> None:
    """Lose the end."""
    del data[dice.randrange(len(data)) :]


def edit_header(data: bytearray, dice: Random) -> None:
    """Overwrite bytes where the structure is: at the beginning or, as in mp4, at the end."""
    reach = min(len(data), 3000)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(reach)
        data[at if dice.random() < 0.5 else -1 - at] = dice.choice((0, 255, 127, 128, dice.randrange(256)))


def blank(data: bytearray, dice: Random) -> None:
    """Fill a stretch with one byte."""
    at, size = dice.randrange(len(data)), dice.choice((16, 256, 4096))
    data[at : at + size] = bytes([dice.choice((0, 255))]) * len(data[at : at + size])


def lose(data: bytearray, dice: Random) -> None:
    """Take a stretch out, so that all offsets behind it are wrong."""
    at = dice.randrange(len(data))
    del data[at : at + dice.choice((1, 7, 1000))]


def repeat(data: bytearray, dice: Random) -> None:
    """Put a stretch in a second time."""
    at = dice.randrange(len(data))
    data[at:at] = data[at : at + dice.choice((1, 100, 5000))]


MUTATIONS = (flip_bits, cut_off, edit_header, blank, lose, repeat)


@pytest.mark.parametrize("count", [36, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_mutated_files_are_failures_flagged_or_right(
    originals: dict[str, bytes], tmp_path: Path, run: Callable[..., ExtractSummary], count: int
) -> None:
    dice, folder = Random(count), tmp_path / "mutated"
    folder.mkdir()
    kinds: dict[str, tuple[str, str]] = {}
    for number in range(count):
        name = list(originals)[number % len(originals)]
        data = bytearray(originals[name])
        mutate = MUTATIONS[number // len(originals) % len(MUTATIONS)]
        mutate(data, dice)
        path = folder / f"{number:03}-{name}"
        kinds[path.name] = name, mutate.__name__
        path.write_bytes(data)
        if number % 5 == 0:
            words = bytearray(SUBTITLES)
            MUTATIONS[dice.randrange(len(MUTATIONS))](words, dice)
            path.with_suffix(".srt").write_bytes(words)
    options = {"text": "offline:hashing", "audio": "offline:logmel", "segment_s": 0.5}
    summary = run(folder, tmp_path / "f.h5", workers=2, id_from="path", **options)

    codes = Counter(failure.code for failure in summary.failures)
    outcome = dict.fromkeys((failure.path for failure in summary.failures), "failed")
    wrong: list[str] = []
    with open_store(tmp_path / "f.h5") as store:
        assert len(store) + len(store.failures) == count
        assert not codes.keys() & {"internal", "timeout", "crashed", "bad_features", "changed"}, store.failures
        for row, video_id in enumerate(store):
            video = store[video_id]
            assert np.isfinite(video.visual).all()
            outcome[video.path] = "flagged"
            if store.status[row] == "ok":
                problem = trouble(video.duration_s, video.thumbnails, video.frame_time_s)
                outcome[video.path] = "unnoticed" if problem else "right"
                wrong += [f"{video.path}: {problem}"] * bool(problem)
    print(f"\n{count} files; failures {dict(codes)}")
    for title, column in (("file", 0), ("mutation", 1)):
        for kind in dict.fromkeys(kind[column] for kind in kinds.values()):
            found = Counter(outcome[path] for path, of in kinds.items() if of[column] == kind)
            print(f"{title:<9}{kind:<12}" + ", ".join(f"{found[name]} {name}" for name in OUTCOMES))
    assert len(wrong) <= max(1, UNNOTICED * count), wrong


def trouble(duration_s: float, thumbnails: tuple[bytes, ...], frame_time_s: np.ndarray) -> str:
    """What is wrong with a video that is said to be well; empty if nothing is."""
    if abs(duration_s - SECONDS) > 0.1:
        return f"{duration_s} s long"
    for blob, time_s in zip(thumbnails, frame_time_s[:, 0].tolist(), strict=True):
        if not blob:
            return "no picture"
        number = read_number(np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")))
        if number != round(time_s * FPS):
            return f"picture {number} at {time_s} s"
    return ""
