"""Runs of earlier releases open, and predict as they did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures
from segmodel.models import make_model, model_class
from segmodel.models.base import FitRun
from segmodel.models.ranking import RankingModel
from segmodel.models.training import CHECKPOINT
from segmodel.runs.config import run_config
from segmodel.runs.data import open_data
from segmodel.runs.run import load_run
from segmodel.runs.train import prepare, train

CHANGED = ("paper", "sasrec", "directau", "adagin", "can", "slmrec", "freedom", "hazard", "ensemble")
"""Models that compute something else by default than they once did, and one that only has another end slot."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    users, each, videos = 8, 12, 20
    duration_ms, video = rng.integers(3_000, 30_000, videos), rng.integers(0, videos, users * each)
    log = Interactions(
        user_ids=np.array([f"u{i}" for i in range(users)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(videos)], dtype=object),
        user=np.repeat(np.arange(users, dtype=np.int32), each),
        video=video.astype(np.int32),
        time_ms=np.tile(np.arange(each), users) * 1000,
        watch_ms=rng.integers(1, 30_000, users * each),
        duration_ms=duration_ms[video],
    )
    path = tmp_path_factory.mktemp("earlier") / "feats.h5"
    made = []
    for code, ms in enumerate(duration_ms.tolist()):
        spans = segment_spans(ms / 1000)
        features = {"visual": rng.normal(size=(len(spans), 4))}
        made.append(VideoFeatures(f"v{code}", ms / 1000, spans, features, {"visual": np.ones(len(spans), dtype=bool)}))
    spec = EncoderSpec("test:visual", "visual", 4, "test", "none", "none")
    write_store(path, StoreHeader(5.0, {}, {"visual": spec}), made, interactions=log)
    return path


@pytest.mark.parametrize("name", CHANGED)
def test_a_run_without_later_settings_is_what_it_was(name: str, store: Path, tmp_path: Path) -> None:
    """Written with the settings of then, which the file of then did not name."""
    before = model_class(name).Config.before  # type: ignore[attr-defined]
    small = {"width": 8} if name in ("hazard", "ensemble") else {"d": 8}
    options = {"model": name, **before, **small, "epochs": 1}
    run = train(prepare(run_config(store, options)), tmp_path / "now", latest=False)
    shutil.copytree(tmp_path / "now", tmp_path / "then")
    written = json.loads((tmp_path / "then" / "config.json").read_text())
    for key in (*before, "patience_updates"):
        written["settings"].pop(key, None)
    if "d" in small:
        written["settings"]["patience"] = 10
    (tmp_path / "then" / "config.json").write_text(json.dumps(written))

    then = load_run(tmp_path / "then")
    assert {key: then.config.settings[key] for key in before} == before
    data = open_data(run.config).dataset
    found, expected = then.model.predict(data), run.model.predict(data)
    np.testing.assert_array_equal(found.slots, expected.slots)
    np.testing.assert_array_equal(found.leave_score, expected.leave_score)
    # And that is not what the same settings mean today.
    now = make_model(name, {k: v for k, v in run.config.settings.items() if k not in before})
    assert now.config != run.model.config


@pytest.mark.parametrize(
    "then",
    [
        {"network": {}, "optimizer": {}, "best": {}, "epoch": 0},
        {"network": {}, "optimizer": {"param_groups": [{"lr": 0.1}]}, "best": {}, "epoch": 0, "updates": 4},
    ],
)
def test_a_checkpoint_of_an_earlier_release_is_refused(then: dict[str, Any], store: Path, tmp_path: Path) -> None:
    job = prepare(run_config(store, {"model": "lightgcn", "d": 8, "epochs": 1}))
    data = open_data(job.config)
    assert isinstance(job.model, RankingModel)
    torch.save(then, tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="earlier release"):
        job.model.fit(data.dataset, data.split, FitRun(folder=tmp_path))
