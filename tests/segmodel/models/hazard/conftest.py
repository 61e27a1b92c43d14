"""A small log with ties, a store for it, and a model fitted on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split, temporal_split
from segmodel.models.base import FitRun
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.model import HazardModel

Rows = list[tuple[str, str, int, int, int]]
"""user, video, time, watch and duration, the last three in ms."""


def make_interactions(rows: Rows) -> Interactions:
    user, video, time_ms, watch_ms, duration_ms = (np.array(column) for column in zip(*rows, strict=True))
    user_ids, user = np.unique(user, return_inverse=True)
    video_ids, video = np.unique(video, return_inverse=True)
    return Interactions(
        user_ids.astype(object),
        video_ids.astype(object),
        user.astype(np.int32),
        video.astype(np.int32),
        time_ms.astype(np.int64),
        watch_ms.astype(np.int64),
        duration_ms.astype(np.int64),
    )


def small_rows() -> Rows:
    """12 users with 20 views each, of 25 videos of 1 to 6 segments; about every third view is tied with another."""
    rng = np.random.default_rng(0)
    duration_ms = rng.integers(3_000, 29_000, 25)
    rows: Rows = []
    for user in range(12):
        time_ms = 1_700_000_000_000 + int(rng.integers(0, 1_000_000))
        for _ in range(20):
            time_ms += 0 if rng.random() < 0.35 else int(rng.choice([20_000, 60_000, 7_200_000]))
            video = int(rng.integers(25))
            watch_ms = int(rng.integers(1, 30_000))
            rows.append((f"u{user:02d}", f"v{video:02d}", time_ms, watch_ms, int(duration_ms[video])))
    return rows


def write_features(path: Path, log: Interactions) -> FeatureStore:
    """Random 6-d pictures for all videos, and 4-d sound for every second one."""
    rng = np.random.default_rng(1)
    specs = {
        "visual": EncoderSpec("test:visual", "visual", 6, "test", "none", "none"),
        "audio": EncoderSpec("test:audio", "audio", 4, "test", "none", "none"),
    }
    videos = []
    for code, ms in sorted(set(zip(log.video.tolist(), log.duration_ms.tolist(), strict=True))):
        spans = segment_spans(ms / 1000)
        valid = {m: np.full(len(spans), m == "visual" or code % 2 == 0) for m in specs}
        features = {m: rng.normal(size=(len(spans), s.dim)) * valid[m][:, None] for m, s in specs.items()}
        videos.append(VideoFeatures(str(log.video_ids[code]), ms / 1000, spans, features, valid))
    write_store(path, StoreHeader(5.0, {}, specs), videos)
    return FeatureStore(path)


@dataclass(frozen=True, eq=False)
class Small:
    """The log, the store, and what a fit of them needs."""

    log: Interactions
    store: FeatureStore
    data: Dataset
    split: Split

    def fit(self, data: Dataset | None = None, members: int = 1) -> HazardModel:
        config = HazardConfig(members=members, epochs=3, batch_views=32, width=16, rank=4, folds=3)
        model = HazardModel(config)
        model.fit(data or self.data, self.split, FitRun(seed=5))
        return model


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    log = make_interactions(small_rows())
    store = write_features(tmp_path_factory.mktemp("hazard") / "feats.h5", log)
    data = make_dataset(log, store)
    return Small(log, store, data, temporal_split(data.views))


@pytest.fixture(scope="package")
def fitted(small: Small) -> HazardModel:
    return small.fit()


@pytest.fixture(scope="package")
def interactions() -> Callable[[Rows], Interactions]:
    return make_interactions
