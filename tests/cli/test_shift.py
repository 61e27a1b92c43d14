"""``segmodel train --split leave-out`` and ``segmodel shift``: a kind that differs costs, a random one does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from segfeat_cli.segfeat import segfeat

Cli = Callable[..., Any]

ODD, USERS, VIEWS = 4, 60, 50


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of one length; those of one category are watched to the end, the others left at random."""
    folder, rng = tmp_path_factory.mktemp("shift"), np.random.default_rng(20250413)
    n = USERS * VIEWS
    video = rng.integers(0, 40, n)
    watch_ms = np.where(video % ODD == 0, 30_000, rng.integers(1, 30_000, n))
    # Length is all that the model knows: the odd category has one of its own, a little longer.
    length_ms = np.where(video % ODD == 0, 23_000, 20_000)
    pd.DataFrame(
        {
            "user_id": [f"u{i % USERS}" for i in range(n)], "video_id": [f"v{v}" for v in video],
            "time_ms": 1_700_000_000_000 + 60_000 * np.arange(n), "duration_ms": length_ms,
            "playing_time": watch_ms, "tab": rng.integers(0, 3, n),
        }
    ).to_csv(folder / "log.csv", index=False)  # fmt: skip
    kinds = ["odd" if i % ODD == 0 else f"plain/{i % ODD}" for i in range(40)]
    pd.DataFrame({"video_id": [f"v{i}" for i in range(40)], "kind": kinds}).to_csv(folder / "videos.csv", index=False)
    arguments = ["import", "csv", str(folder / "log.csv"), "--context", "tab", "-o", str(folder / "feats.h5")]
    result = CliRunner().invoke(segfeat, arguments)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store, its log and a table of kinds in the working folder, to be changed at will."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        shutil.copy2(path, tmp_path)
    return tmp_path


def shifts(cli: Cli, *options: str) -> pd.DataFrame:
    answer = cli("segmodel", "shift", "feats.h5", "--models", "duration-position", "--json", *options)
    assert answer.code == 0, answer.err
    return pd.DataFrame(json.loads(answer.out)["values"]).set_index("value")


def test_a_kind_of_its_own_costs_and_a_random_one_does_not(place: Path, cli: Cli) -> None:
    by_kind = shifts(cli, "--by", "videos.csv:kind", "-o", "kinds")
    assert by_kind.index[0] == "odd"
    assert by_kind.loc["odd", "low"] > 0.3
    assert by_kind["cost"].to_numpy() == pytest.approx((by_kind["nll_without"] - by_kind["nll_with"]).to_numpy())
    assert by_kind["views"].sum() == USERS * VIEWS // 10
    by_tab = shifts(cli, "--by", "tab", "-o", "tabs")
    assert set(by_tab.index) == {"0", "1", "2"}
    assert by_tab["cost"].abs().max() < 0.05


def test_it_goes_on_where_it_was(place: Path, cli: Cli) -> None:
    command = ("segmodel", "shift", "feats.h5", "--by", "tab", "--models", "duration-position,user-position")
    first = cli(*command)
    assert first.code == 0, first.err
    assert first.err.count("training ") == 8
    assert "worst first" in first.out
    assert "user-position" in first.out
    again = cli(*command)
    assert again.out == first.out
    assert "training " not in again.err


def test_training_without_a_kind_tests_on_it_alone(place: Path, cli: Cli) -> None:
    from segmodel.runs.predictor import open_predictor
    from segmodel.runs.run import load_run

    command = ("segmodel", "train", "feats.h5", "--model", "duration-position", "--split", "leave-out")
    answer = cli(*command, "videos.csv:kind=odd", "--out", "run")
    assert answer.code == 0, answer.err
    assert "rows left out: left-out views not after their user's last training view" in answer.out
    run = load_run("run")
    assert run.config.split == f"leave-out {place / 'videos.csv'}:kind=odd"
    assert sum(run.data["views"].values()) + sum(run.data["dropped"].values()) == USERS * VIEWS
    with open_predictor(run) as predictor:
        data, odd = predictor.data, {f"v{i}" for i in range(0, 40, ODD)}
        views, split = data.dataset.views, data.split
        of = [set(views.video_ids[views.video[rows]]) for rows in (split.train, split.valid, split.test)]
        assert not of[0] & odd
        assert not of[1] & odd
        assert of[2] == odd
        # What is left out is out of the histories that train, and in those that test.
        past = data.training.past
        assert not set(past.video_ids[past.video]) & odd
        assert len(data.dataset.past) == USERS * VIEWS
        assert (data.training.history[:, 1] - data.training.history[:, 0]).max() < VIEWS - 5
    assert cli("segmodel", "evaluate", "--run", "run", "-q").code == 0


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("leave-out tab=9", "no view to leave out has tab=9; the most frequent values are"),
        ("leave-out nothing=1", "store and log know tab"),
        ("leave-out tab", "NAME=VALUE"),
        ("sideways", "valid are temporal, random, leave-out NAME=VALUE"),
    ],
)
def test_splits_that_are_nothing_are_refused(place: Path, cli: Cli, split: str, message: str) -> None:
    answer = cli("segmodel", "train", "feats.h5", "--model", "duration-position", "--split", split)
    assert answer.code == 1
    assert message in answer.err


def test_too_little_to_leave_out_is_refused(place: Path, cli: Cli) -> None:
    pd.DataFrame({"user_id": ["u1"], "age": ["old"]}).to_csv("users.csv", index=False)
    answer = cli("segmodel", "shift", "feats.h5", "--by", "users.csv:age")
    assert answer.code == 1
    assert "none of its 1 values has 30 test views of 5 users" in answer.err


def test_a_store_with_another_log_is_told(place: Path, cli: Cli) -> None:
    assert cli("segmodel", "train", "feats.h5", "--model", "user-position", "--out", "run", "-q").code == 0
    own = cli("segmodel", "evaluate", "--run", "run")
    assert "warning: the log is not the one" not in own.err
    pd.read_csv("log.csv").iloc[::-1].assign(playing_time=5_000).to_csv("other.csv", index=False)
    assert cli("segfeat", "import", "csv", "other.csv", "-o", "other.h5").code == 0
    other = cli("segmodel", "evaluate", "--run", "run", "--store", "other.h5")
    assert other.code == 0, other.err
    assert "warning: the log is not the one that the run was trained on" in other.err
