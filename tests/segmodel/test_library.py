"""The library's face: what a notebook does, and that commands and library say the same."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import segmodel
from segfeat.interactions import Interactions
from segfeat_cli.segmodel import segmodel as command
from segmodel import api
from segmodel.models import MODELS

FAST = {"members": 1, "epochs": 1, "device": "cpu"}


@pytest.fixture
def model(store_path: Path, workplace: Path) -> segmodel.Model:
    return segmodel.train(store_path, **FAST)


def test_the_face_is_small_lazy_and_listed() -> None:
    assert set(segmodel.__all__) == {"Model", "compare", "list_models", "load", "train"} <= set(dir(segmodel))
    code = "import sys, segmodel; dir(segmodel); print(sorted({'torch', 'pandas', 'h5py', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = segmodel.nothing


def test_examples_in_docstrings_are_right() -> None:
    assert doctest.testmod(api).attempted > 2
    assert doctest.testmod(api).failed == 0


def test_train_predict_recommend_evaluate_compare(model: segmodel.Model, store_path: Path, log: Interactions) -> None:
    assert segmodel.list_models() == list(MODELS)
    assert repr(model) == f"<Model hazard, run hazard-1, on {store_path.name}>"
    found = model.predict(["u1", "nobody"], ["v1", "v2"])
    assert len(found) == 4
    assert found.interest.shape == found.hazard.shape == found.survival.shape
    assert found.expected_watch_s.shape == (4,)
    assert found.user_known.tolist() == [True, True, False, False]
    table = found.to_frame()
    assert len(table) == found.views.segments.sum()
    again = segmodel.load(model.run.folder).predict("u1", ["v1", "v2"])
    np.testing.assert_allclose(again.survival, found.survival[:2], atol=1e-6)
    assert "background:#" in found._repr_html_()

    ranking = model.recommend("u1", n=3, watched=True)
    assert len(ranking.ids) == 3
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    assert ranking.to_frame()["rank"].max() == 3

    measured = model.evaluate(baselines=["duration-position"])
    figures = measured.to_frame()
    assert set(figures.model) == {"hazard-1", "duration-position"}
    assert "duration-position" in measured._repr_html_()
    nll = figures.query("group == 'all' and metric == 'nll' and model == 'hazard-1'").value.item()

    other = segmodel.train(store_path, "duration-user-position", seed=3)
    compared = segmodel.compare([model, other.run.folder], baselines=["random"])
    row = compared.to_frame().query("model == 'hazard' and group == 'all' and metric == 'nll'")
    assert row["mean"].item() == pytest.approx(nll)


def test_pairs_as_a_table_are_pairs_as_a_file(model: segmodel.Model, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"user_id": ["u1", "u2"], "video_id": ["v1", "far"], "time_ms": [10**9, 10**9], "duration_ms": [0, 12_000]}
    )
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    here, there = model.predict(pairs=frame), model.predict(pairs=tmp_path / "pairs.csv")
    np.testing.assert_array_equal(here.prediction.slots, there.prediction.slots)
    assert here.video_known.tolist() == [True, False]
    with pytest.raises(ValueError, match="either users and videos, or pairs"):
        model.predict(["u1"], ["v1"], pairs=frame)
    with pytest.raises(ValueError, match="belong together"):
        model.predict(["u1"])
    with pytest.raises(ValueError, match=r"the table: missing column.*time_ms"):
        model.predict(pairs=frame.drop(columns="time_ms"))


def test_the_command_says_what_the_library_says(model: segmodel.Model, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    result = CliRunner().invoke(
        command, ["predict-skip", "--user", "u1", "--user", "x", "--video", "v1", "-o", str(out)]
    )
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    np.testing.assert_allclose(table.survival, model.predict(["u1", "x"], "v1").to_frame().survival, rtol=1e-6)
    assert "x*" in result.output
