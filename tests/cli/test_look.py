"""``segmodel report``, ``thumbnail``, ``preview`` and ``edit-list`` as a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segfeat.log_file import read_interactions
from segfeat.segment import segment_spans
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from tests.media import FPS, Picture, Sound, make_video

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos of 11 s on disk, in a store with a log; ids with a slash in them."""
    folder = tmp_path_factory.mktemp("look")
    make_video(folder / "v.mp4", [Picture(count=11 * FPS, size=(64, 48))], [Sound(duration_s=11.0)])
    rng = np.random.default_rng(0)
    n = 12 * 15
    pd.DataFrame(
        {
            "user_id": [f"u{i // 15}" for i in range(n)],
            "video_id": [f"a/v{i}" for i in rng.integers(0, 4, n)],
            "time_ms": 1000 * (1 + np.arange(n) % 15),
            "duration_ms": 11_000,
            "playing_time": rng.integers(1, 15_000, n),
        }
    ).to_csv(folder / "log.csv", index=False)
    spans = segment_spans(11.0)
    videos = [
        VideoFeatures(f"a/v{i}", 11.0, spans, {}, {}, path="v.mp4", frame_time_s=spans.mean(1, keepdims=True))
        for i in range(4)
    ]
    log = read_interactions(folder / "log.csv")
    write_store(folder / "feats.h5", StoreHeader(5.0), videos, interactions=log, root=str(folder))
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """A working directory with a run on that store."""
    monkeypatch.chdir(tmp_path)
    store = made / "feats.h5"
    assert cli("segmodel", "train", store, "--model", "duration-user-position", "--quiet").code == 0
    return tmp_path


def test_a_report_with_pictures_from_raw_videos(place: Path, made: Path, cli: Cli) -> None:
    assert cli("segmodel", "report", "--baselines", "duration-position", "-o", "r.html").code == 0
    plain = (place / "r.html").read_text()
    assert "<img" not in plain
    answer = cli("segmodel", "report", "--baselines", "duration-position", "--videos", made, "-o", "r.html")
    assert answer.code == 0
    assert "MB -> r.html" in answer.out
    assert (place / "r.html").read_text().count("data:image/webp") == 4 * 3


def test_a_thumbnail_and_a_preview(place: Path, cli: Cli) -> None:
    assert cli("segmodel", "thumbnail", "--user", "u1", "--video", "a/v1", "-o", "t.png").code == 0
    with Image.open(place / "t.png") as image:
        assert image.size == (64, 48)
    answer = cli("segmodel", "preview", "--user", "nobody", "--video", "a/v1", "--seconds", 2, "-o", "p.mp4")
    assert answer.code == 0
    assert (place / "p.mp4").stat().st_size > 1000


def test_many_at_once(place: Path, cli: Cli) -> None:
    (place / "users.csv").write_text("user_id,age\nu1,3\n../u2,4\nu1,3\n")
    assert cli("segmodel", "thumbnail", "--all-users", "users.csv", "--video", "a/v1", "-o", "out").code == 0
    index = pd.read_csv(place / "out" / "index.csv")
    assert list(index.user_id) == ["u1", "../u2"]
    assert set(index.video_id) == {"a/v1"}
    assert {p.name for p in (place / "out").iterdir()} == {*index.file, "index.csv"}
    (place / "pairs.csv").write_text("user_id,video_id\nu3,a/v1\nu3,a/v2\n")
    assert cli("segmodel", "preview", "--all-users", "pairs.csv", "--seconds", 1, "-o", "films").code == 0
    films = pd.read_csv(place / "films" / "index.csv")
    assert (films.end_s - films.start_s).tolist() == [1.0, 1.0]
    assert all((place / "films" / f).stat().st_size for f in films.file)


@pytest.mark.parametrize("command", ["thumbnail", "preview"])
def test_moved_videos(place: Path, cli: Cli, command: str) -> None:
    answer = cli("segmodel", command, "--user", "u1", "--video", "a/v1", "--videos", place / "moved")
    assert answer.code == 1
    assert "is not there; name its folder with --videos ROOT" in answer.err
    assert not list(place.glob("*.png")) + list(place.glob("*.mp4"))


@pytest.mark.parametrize("command", ["thumbnail", "preview"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --user and --video"),
        (("--user", "u1"), "give --user and --video"),
        (("--user", "u1", "--all-users", "x.csv"), "either --user or --all-users"),
    ],
)
def test_what_is_missing_is_said(place: Path, cli: Cli, command: str, options: tuple[str, ...], message: str) -> None:
    answer = cli("segmodel", command, *options)
    assert answer.code == 2
    assert message in answer.err


def test_an_edit_list(place: Path, cli: Cli) -> None:
    answer = cli("segmodel", "edit-list", "--video", "a/v1", "-o", "e.csv", "--edl", "e.edl")
    assert answer.code == 0
    assert "25 pictures a second" in answer.out
    table = pd.read_csv(place / "e.csv")
    assert list(table.segment) == [0, 1, 2]
    assert (place / "e.edl").read_text().startswith("TITLE: a/v1\n")
    # With a rate the file itself is not needed.
    assert cli("segmodel", "edit-list", "--video", "a/v1", "--edl", "e.edl", "--fps", 30, "--videos", "gone").code == 0
    assert cli("segmodel", "edit-list", "--video", "a/v1", "--edl", "e.edl", "--videos", "gone").code == 1
    answer = cli("segmodel", "edit-list", "--video", "nothing")
    assert (answer.code, "no usable view of video 'nothing'" in answer.err) == (1, True)
