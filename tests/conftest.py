"""What all tests share: where real data lies, seeded randomness, and small stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.types import EncoderSpec, VideoFeatures

ROOT = Path(__file__).parents[1]

REAL = ROOT.parent / "shared"
"""Real videos and logs, beside the checkout where somebody has put them; never part of the repository."""

# The same examples in every run; no time limit an example, since machines differ.
settings.register_profile("segfeat", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("segfeat")


def _real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"no real data: {path} is absent")
    return path


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def segmm_csv() -> Path:
    """Real SegMM views; the test is skipped where they are absent."""
    return _real("data/segmm_dev.csv")


@pytest.fixture(scope="session")
def kuairand_csv() -> Path:
    """Real KuaiRand views; the test is skipped where they are absent."""
    return _real("data/kuairand_dev.csv")


@pytest.fixture(scope="session")
def real_videos() -> Path:
    """A folder of real videos; the test is skipped where it is absent."""
    return _real("videos")


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(20250413)


@pytest.fixture(scope="session")
def make_video() -> Callable[..., VideoFeatures]:
    """A function that makes a video: ``make_video(id, duration_s, {modality: dim}, seed=…, **fields)``."""

    def make(
        video_id: str, duration_s: float = 12.0, dims: dict[str, int] | None = None, seed: int = 0, **fields: object
    ) -> VideoFeatures:
        rng = np.random.default_rng(seed)
        spans_s = segment_spans(duration_s)
        n = len(spans_s)
        features, valid = {}, {}
        for modality, dim in (dims or {}).items():
            valid[modality] = rng.random(n) < 0.7
            features[modality] = (rng.normal(size=(n, dim)) * valid[modality][:, None]).astype(np.float16)
        given = {"frame_time_s": spans_s.mean(axis=1, keepdims=True), **fields}
        return VideoFeatures(video_id, duration_s, spans_s, features, valid, **given)

    return make


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., EncoderSpec]:
    """A function that makes an encoder spec: ``make_spec("visual", 4, model=…)``."""

    def make(modality: str = "visual", dim: int = 4, **fields: str) -> EncoderSpec:
        words = {"name": f"test:{modality}", "model": "none", "weights": "none", "pooling": "mean", **fields}
        return EncoderSpec(modality=modality, dim=dim, **words)

    return make


@pytest.fixture(scope="session")
def make_log() -> Callable[..., Interactions]:
    """A function that makes a log of rows (user, video, time_ms, watch_ms, duration_ms)."""

    def make(*rows: tuple[str, str, int, int, int]) -> Interactions:
        users = list(dict.fromkeys(r[0] for r in rows))
        videos = list(dict.fromkeys(r[1] for r in rows))
        numbers = np.array([r[2:] for r in rows], dtype=np.int64).reshape(-1, 3)
        return Interactions(
            np.array(users, dtype=object),
            np.array(videos, dtype=object),
            np.array([users.index(r[0]) for r in rows], dtype=np.int32),
            np.array([videos.index(r[1]) for r in rows], dtype=np.int32),
            numbers[:, 0],
            numbers[:, 1],
            numbers[:, 2],
        )

    return make
