"""A run on a store full of hostile words, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures
from segmodel.report.page import write_report
from segmodel.runs.config import run_config
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train

TITLE = '</title><script>document.title="owned"</script><img src="http://example.invalid/x.png" onerror="owned()">'
USER = "<b>u0</b>&amp;"
FAILED = "a<script>alert(1)</script>\udcff.mp4"
"""Ends in a byte that is no UTF-8."""


def hostile_log(users: int = 10, views: int = 24, videos: int = 8) -> Interactions:
    """Users watch the same few videos of 6 to 41 s, so that test views share videos; one watches twice as long."""
    rng = np.random.default_rng(3)
    duration_ms = np.linspace(6_000, 41_000, videos).astype(np.int64)
    user = np.repeat(np.arange(users, dtype=np.int32), views)
    video = np.concatenate([rng.permutation(np.arange(views) % videos) for _ in range(users)]).astype(np.int32)
    watch = np.minimum(rng.exponential(9_000, len(user)) + 1, 60_000) * np.where(user == 1, 2, 1)
    return Interactions(
        np.array([USER, *(f"u{i}" for i in range(1, users))], dtype=object),
        np.array([f"v<i>{i}" for i in range(videos)], dtype=object),
        user,
        video,
        np.tile(np.arange(views, dtype=np.int64) * 1000, users),
        watch.astype(np.int64),
        duration_ms[video],
    )


def picture(red: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (96, 170), (red, 80, 120)).save(buffer, "WEBP")
    return buffer.getvalue()


@dataclass(frozen=True)
class World:
    """A trained run, its store, and the report about both."""

    run: Run
    store: FeatureStore
    page: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everything hostile: titles, ids, file names, messages."""
    folder = tmp_path_factory.mktemp("report")
    log = hostile_log()
    videos = []
    for code, name in enumerate(log.video_ids.tolist()):
        spans = segment_spans(float(log.duration_ms[log.video == code][0]) / 1000)
        n = len(spans)
        features = {"visual": np.ones((n, 2))}
        videos.append(
            VideoFeatures(
                name,
                float(spans[-1, 1]),
                spans,
                features,
                {"visual": np.ones(n, bool)},
                path=f"{name}.mp4",
                title=TITLE if code else "",
                thumbnails=tuple(picture(20 * s) for s in range(n)),
            )
        )
    spec = EncoderSpec("test:<u>visual", "visual", 2, "test", "none", "none")
    failures = [Failure(FAILED, "not_a_video", "<img src=x onerror=alert(2)>"), Failure("b.mp4", "empty_file", "empty")]
    write_store(folder / "feats.h5", StoreHeader(5.0, {}, {"visual": spec}), videos, failures, log)
    return make_world(folder, "duration-user-position")


def make_world(folder: Path, model: str) -> World:
    """Train on ``feats.h5`` and report."""
    run = train(prepare(run_config(folder / "feats.h5", {"model": model})), folder / "run", latest=False)
    store = run.open_store()
    write_report(open_predictor(run), folder / "report.html", baselines=("random", "duration-position"))
    return World(run, store, folder / "report.html")


@pytest.fixture(scope="session")
def bare_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store that came from a log alone: no files, features, titles or pictures."""
    folder = tmp_path_factory.mktemp("bare")
    log = hostile_log()
    durations = dict(zip(log.video.tolist(), (log.duration_ms / 1000).tolist(), strict=True))
    videos = [
        VideoFeatures(str(log.video_ids[code]), s, segment_spans(s), {}, {}) for code, s in sorted(durations.items())
    ]
    write_store(folder / "feats.h5", StoreHeader(5.0), videos, interactions=log)
    return make_world(folder, "duration-position")
