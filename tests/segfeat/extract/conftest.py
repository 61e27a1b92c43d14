"""Small real videos, and extraction without networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segfeat.decode import DECODERS
from segfeat.extraction import ExtractSummary, extract
from segfeat.pipeline.sources import Source
from segfeat.store.reader import FeatureStore
from tests.media import Picture, Sound, make_video


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos: sound, silence, subtitles beside and inside; 3, 1, 12 and 6 s long. Copy before changing them."""
    folder = tmp_path_factory.mktemp("films")
    make_video(folder / "loud.mp4", [Picture()], [Sound()])
    make_video(folder / "mute.mp4", [Picture(count=25)])
    make_video(folder / "long.mkv", [Picture(count=300)], [Sound(duration_s=12.0)], [(6.0, 8.0, "words inside")])
    make_video(folder / "said.mp4", [Picture(count=150)], [Sound(duration_s=2.0)])
    (folder / "said.srt").write_text("1\n00:00:05,500 --> 00:00:05,900\nwords beside\n")
    return folder


@pytest.fixture
def copies(films: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that copies the mute film under some names into a folder and gives the folder."""

    def copy(*names: str, folder: str = "videos") -> Path:
        for name in names:
            target = tmp_path / folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(films / "mute.mp4", target)
        return tmp_path / folder

    return copy


@pytest.fixture
def run() -> Callable[..., ExtractSummary]:
    """``extract`` with the pictures' classical descriptor alone, which is quick to load, and one worker."""

    def call(paths: Any, out: Path, **options: Any) -> ExtractSummary:
        usual = {"preset": "offline", "audio": "none", "text": "none", "workers": 1, "video_timeout_s": 60.0}
        return extract(paths, out, **{**usual, **options})

    return call


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a decoder that hangs, crashes and fails on files whose names say so."""
    monkeypatch.setitem(DECODERS, "troubled", "tests.segfeat.extract.tasks:TroubledReader")
    return "troubled"


@pytest.fixture
def content() -> Callable[[Path], str]:
    """The content hash of a store."""

    def read(path: Path) -> str:
        with FeatureStore(path) as store:
            return store.content_hash

    return read


@pytest.fixture
def source() -> Callable[[str], Source]:
    """A source that nobody has to open."""
    return lambda name: Source(name, name, f"/nowhere/{name}", 1, 1)
