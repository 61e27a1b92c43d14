"""A small store with content in three modalities, and a watch log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures


def make_log(views_per_user: int = 20, users: int = 12, videos: int = 30, seed: int = 0) -> Interactions:
    """Views at distinct times, some tied, of videos of 3 to 27 s."""
    rng = np.random.default_rng(seed)
    n = users * views_per_user
    duration_ms = rng.integers(3_000, 27_000, videos)
    video = rng.integers(0, videos, n).astype(np.int32)
    # Every third view shares its time with the one before.
    step = np.tile(np.where(np.arange(views_per_user) % 3 == 2, 0, 1000), users)
    watch = rng.integers(1, 30_000, n)
    return Interactions(
        user_ids=np.array([f"u{i}" for i in range(users)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(videos)], dtype=object),
        user=np.repeat(np.arange(users, dtype=np.int32), views_per_user),
        video=video,
        time_ms=np.cumsum(step).astype(np.int64),
        watch_ms=watch.astype(np.int64),
        duration_ms=duration_ms[video].astype(np.int64),
    )


def make_store(path: Path, log: Interactions, seed: int = 0, raw: bool = True) -> Path:
    """A store with visual (8-d), audio (4-d, half of it missing) and text (4-d) features for the videos of ``log``."""
    rng = np.random.default_rng(seed)
    specs = {
        "visual": EncoderSpec("test:visual", "visual", 8, "test", "none", "none"),
        "audio": EncoderSpec("test:audio", "audio", 4, "test", "none", "none"),
        "text": EncoderSpec("test:text", "text", 4, "test", "none", "none"),
    }
    duration_ms = dict(zip(log.video.tolist(), log.duration_ms.tolist(), strict=True))
    videos = []
    for code, ms in sorted(duration_ms.items()):
        spans = segment_spans(ms / 1000)
        n = len(spans)
        valid = {"visual": np.ones(n, bool), "audio": np.full(n, code % 2 == 0), "text": np.ones(n, bool)}
        features = {m: rng.normal(size=(n, s.dim)) * valid[m][:, None] for m, s in specs.items()}
        name = str(log.video_ids[code])
        videos.append(VideoFeatures(name, ms / 1000, spans, features, valid, path=f"{name}.mp4" if raw else ""))
    write_store(path, StoreHeader(5.0, {}, specs), videos, interactions=log)
    return path


@pytest.fixture
def log() -> Interactions:
    return make_log()


@pytest.fixture
def store_path(tmp_path: Path, log: Interactions) -> Path:
    return make_store(tmp_path / "feats.h5", log)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, where ``runs/`` appears."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
