"""Every system finds the kind of signal it is made for, and finds nothing where the ends of the views are shuffled.

In each world the marginal distribution of exits is flat over what may happen, so that positions alone tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import temporal_split
from segmodel.evaluation.metrics import hit, masked_ranks, paper_ranks
from segmodel.models import make_model
from segmodel.models.base import FitRun

USERS, EACH, SEGMENT_MS = 40, 25, 5_000

SETTINGS = {"d": 16, "epochs": 15, "patience_updates": 500, "batch_views": 128, "learning_rate": 1e-2}

OWN_SETTINGS = {"dien": {"history": 4}}
"""Its attention is spread over few steps, so that some seconds of training suffice."""

STAYED = {"end_after_skip": "stayed"}

WORLD_SETTINGS = {
    "collaborative": STAYED,
    "sequential": STAYED,
    "contextual": {**STAYED, "end_slot": "shared"},
    "content": {},
}
"""Where all there is to tell is leaving at once from completing, a model must learn of the end slot from views that
never reached it, which by default say nothing of it; where lengths decide, it helps that they tell end slots apart."""

World = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Generator -> video (USERS, EACH), N of each video, exit (USERS, EACH)."""


def collaborative(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two tastes, two topics, 20 known videos of one segment: the wrong topic is left, the right one completed."""
    video = rng.integers(0, 20, (USERS, EACH))
    wrong = (np.arange(USERS)[:, None] % 2) != video % 2
    return video, np.ones(20, dtype=np.int64), np.where(wrong, 0, 1)


def sequential(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who completed the last video leaves the next at once, and the other way round; every video is new."""
    first = rng.integers(0, 2, (USERS, 1))
    leaves = (first + np.arange(EACH)[None, :]) % 2 == 0
    return np.arange(USERS * EACH).reshape(USERS, EACH), np.full(USERS * EACH, 4), np.where(leaves, 0, 4)


def contextual(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half the users complete only videos of 5 segments, half only those of 3; the rest they leave at once."""
    segments = rng.choice([3, 5], USERS * EACH)
    video = np.arange(USERS * EACH).reshape(USERS, EACH)
    likes_long = (np.arange(USERS)[:, None] % 2) == 1
    return video, segments, np.where((segments[video] == 5) == likes_long, segments[video], 0)


def content(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each new video has one of two spoilers in one of 4 segments; users leave where the one they hate comes."""
    video = np.arange(USERS * EACH).reshape(USERS, EACH)
    kind, place = _spoilers()
    hated = kind[video] == np.arange(USERS)[:, None] % 2
    return video, np.full(USERS * EACH, 4), np.where(hated, place[video], 4)


def _spoilers() -> tuple[np.ndarray, np.ndarray]:
    """Which spoiler each video has, and in which segment."""
    rng = np.random.default_rng(7)
    return rng.integers(0, 2, USERS * EACH), rng.integers(0, 4, USERS * EACH)


def _features(rng: np.random.Generator) -> np.ndarray:
    """(videos, 4, 6): noise, and for the spoiler its kind in one of the last two numbers."""
    kind, place = _spoilers()
    shown = 0.3 * rng.normal(size=(len(kind), 4, 6))
    shown[..., 0] += 2.0
    shown[np.arange(len(kind)), place, 4 + kind] += 4.0
    return shown


KINDS: dict[str, tuple[World, tuple[str, ...]]] = {
    "collaborative": (collaborative, ("lightgcn", "directau")),
    "sequential": (sequential, ("caser", "sasrec", "dien")),
    "contextual": (contextual, ("widedeep", "dcnv2", "finalmlp", "adagin", "din", "dien", "can")),
    "content": (content, ("slmrec", "bm3", "freedom")),
}


def _log(world: World, shuffled: bool) -> Interactions:
    rng = np.random.default_rng(0)
    video, segments, exit_ = world(rng)
    video, exit_ = video.ravel(), exit_.ravel()
    n = segments[video]
    left = np.where(exit_ == n, -1, exit_)
    if shuffled:
        # Exits change places among views of one length.
        for length in np.unique(n):
            rows = np.flatnonzero(n == length)
            left[rows] = left[rng.permutation(rows)]
    duration_ms = n * SEGMENT_MS
    return Interactions(
        user_ids=np.array([f"u{i}" for i in range(USERS)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(len(segments))], dtype=object),
        user=np.repeat(np.arange(USERS, dtype=np.int32), EACH),
        video=video.astype(np.int32),
        time_ms=np.tile(np.arange(EACH), USERS) * 1000,
        watch_ms=np.where(left < 0, duration_ms, left * SEGMENT_MS + 2_000),
        duration_ms=duration_ms,
    )


def _write_content(path: Path, log: Interactions) -> None:
    features = _features(np.random.default_rng(2))
    spec = EncoderSpec("test:visual", "visual", 6, "test", "none", "none")
    videos = [
        VideoFeatures(
            str(video_id),
            20.0,
            segment_spans(20.0),
            {"visual": features[code]},
            {"visual": np.ones(4, dtype=bool)},
        )
        for code, video_id in enumerate(log.video_ids)
    ]
    write_store(path, StoreHeader(5.0, {}, {"visual": spec}), videos)


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Dataset]:
    @cache
    def make(kind: str, shuffled: bool) -> Dataset:
        log = _log(KINDS[kind][0], shuffled)
        if kind != "content":
            return make_dataset(log)
        path = tmp_path_factory.mktemp("content") / "feats.h5"
        _write_content(path, log)
        return make_dataset(log, FeatureStore(path))

    return make


def _first_hits(name: str, data: Dataset, kind: str) -> float:
    """HR@1 on the test views."""
    split = temporal_split(data.views)
    settings = {} if name == "random" else {**SETTINGS, **WORLD_SETTINGS[kind], **OWN_SETTINGS.get(name, {})}
    model = make_model(name, settings)
    model.fit(data, split, FitRun(seed=0))
    test = data.take(split.test)
    found, views = model.predict(test), test.views
    if kind == "content":
        ranks = masked_ranks(found.leave_score, views.segments, views.exit)
    else:
        ranks = paper_ranks(found.leave_score, views.segments, views.exit)
    return float(np.nanmean(hit(ranks, 1)))


CASES = [(kind, name) for kind, (_, names) in KINDS.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_finds_its_kind_of_signal(kind: str, name: str, make_world: Callable[[str, bool], Dataset]) -> None:
    data, masked = make_world(kind, False), kind == "content"
    found = _first_hits(name, data, kind)
    assert found > _first_hits("random", data, kind) + 0.2
    # Nor would the best order of positions do.
    assert found > (0.25 if masked else 0.5) + 0.15


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_finds_nothing_in_shuffled_ends(kind: str, name: str, make_world: Callable[[str, bool], Dataset]) -> None:
    data, masked = make_world(kind, True), kind == "content"
    assert _first_hits(name, data, kind) < (0.25 if masked else 0.5) + 0.15
