"""A small log in a store without content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    users, each, videos = 10, 20, 25
    duration_ms, video = rng.integers(3_000, 30_000, videos), rng.integers(0, videos, users * each)
    log = Interactions(
        user_ids=np.array([f"u{i}" for i in range(users)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(videos)], dtype=object),
        user=np.repeat(np.arange(users, dtype=np.int32), each),
        video=video.astype(np.int32),
        time_ms=np.tile(np.arange(each), users) * 1000,
        watch_ms=rng.integers(1, 35_000, users * each),
        duration_ms=duration_ms[video],
    )
    path = tmp_path_factory.mktemp("benchmark") / "feats.h5"
    empty = [VideoFeatures(f"v{i}", ms / 1000, segment_spans(ms / 1000), {}, {}) for i, ms in enumerate(duration_ms)]
    write_store(path, StoreHeader(5.0, {}, {}), empty, interactions=log)
    return path
