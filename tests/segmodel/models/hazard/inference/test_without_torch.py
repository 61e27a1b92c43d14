"""Whoever asks about one user waits for no torch, and hears what torch would have said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from segmodel.models.hazard.inference import elementwise, posterior
from segmodel.models.hazard.taste import taste_of
from segmodel.runs.config import run_config
from segmodel.runs.predictor import open_predictor
from segmodel.runs.train import prepare, train

ASK = """
import json, sys
from segfeat_cli.segmodel import segmodel
segmodel(sys.argv[1:], standalone_mode=False)
print(json.dumps("torch" in sys.modules))
"""


@pytest.mark.parametrize("user", ["u3", "nobody"])
def test_the_command_about_one_user_loads_no_torch(store_path: Path, tmp_path: Path, user: str) -> None:
    options = {"model": "hazard", "members": 2, "epochs": 1}
    run = train(prepare(run_config(store_path, options)), tmp_path / "run", latest=False)
    videos = ["v0", "v1", "v2", "v3"]
    asked = [part for video in videos for part in ("--video", video)]
    arguments = ["predict-skip", "--run", str(run.folder), "--user", user, *asked, "-o", str(tmp_path / "skips.csv")]
    done = subprocess.run([sys.executable, "-c", ASK, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) is False
    found = pd.read_csv(tmp_path / "skips.csv")
    with open_predictor(run) as predictor:
        pairs = found.drop_duplicates(["user_id", "video_id"])[["user_id", "video_id", "time_ms"]]
        known = predictor.pairs(predictor.data.read(pairs, watch_needed=False)).survival
    for row, video in enumerate(videos):
        told = found[found.video_id == video].survival.to_numpy()
        np.testing.assert_allclose(told, known[row, : len(told)], atol=1e-6)


def test_functions_agree_with_torch_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    by_torch = elementwise.gelu(x), elementwise.exp2_in_place(x.copy())
    monkeypatch.setattr(elementwise, "loaded_torch", lambda: None)
    without = elementwise.gelu(x), elementwise.exp2_in_place(x.copy())
    np.testing.assert_allclose(without[0], by_torch[0], atol=1e-6)
    np.testing.assert_allclose(without[1], by_torch[1], rtol=1e-6)


@pytest.mark.parametrize(("bounded", "steps"), [(True, 3), (False, 3), (True, 1)])
def test_tastes_are_those_of_torch(bounded: bool, steps: int) -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.01, 0.99, (50, 40)).astype(np.float32)
    kernel = rng.random((50, 40)).astype(np.float32)
    left = (rng.random((50, 40)) < 0.5).astype(np.float32)
    sums = tuple((kernel * x).sum(axis=1) for x in (left - chance, chance * (1 - chance), chance))
    prior, most = np.float32([0.7]), np.float32([2.1]) if bounded else None
    found = posterior.taste_of(sums, prior, most, steps)
    told = taste_of(
        tuple(map(torch.from_numpy, sums)),
        torch.from_numpy(prior),
        None if most is None else torch.from_numpy(most),
        steps,
    )
    assert np.ptp(found) > 1
    np.testing.assert_allclose(found, told.numpy(), rtol=1e-4, atol=1e-5)
