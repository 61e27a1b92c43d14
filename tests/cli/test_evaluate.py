"""``segmodel evaluate``, ``compare`` and ``ablate`` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Cli = Callable[..., Any]


def write_log(path: Path, users: int, prefix: str = "u", start_ms: int = 0, seed: int = 0) -> Path:
    """Fifteen views a user, of thirty videos of 3 to 27 s."""
    rng = np.random.default_rng(seed)
    n = users * 15
    video = rng.integers(0, 30, n)
    pd.DataFrame(
        {
            "user_id": [f"{prefix}{i // 15}" for i in range(n)],
            "video_id": [f"v{v}" for v in video],
            "time_ms": start_ms + 1000 * (1 + np.arange(n) % 15),
            "duration_ms": 3000 + 800 * video,
            "playing_time": rng.integers(1, 30_000, n),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """A working directory with a store, its log, and a trained run."""
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path / "log.csv", users=10)
    assert cli("segfeat", "import", "csv", "log.csv", "-o", "feats.h5").code == 0
    assert cli("segmodel", "train", "feats.h5", "--model", "duration-user-position", "--quiet").code == 0
    return tmp_path


def test_the_table_stands_beside_six_baselines_and_fits_a_terminal(place: Path, cli: Cli) -> None:
    answer = cli("segmodel", "evaluate")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 120
    names = [line.split()[0] for line in lines if line[:1].isalpha()]
    position = ["random", "all-position", "user-position", "item-position", "duration-position"]
    wanted = ["all:", "duration-user-position-1", *position, "duration-user-position"]
    assert names[: len(wanted)] == wanted
    assert "calibration of duration-user-position-1" in answer.out
    # The run and the baseline of the same kind are fitted on the same views.
    run, baseline = (next(x for x in lines if x.startswith(name)) for name in (wanted[1], wanted[-1] + " "))
    assert run.split()[1:] == baseline.split()[1:]
    assert answer.err == ""


def test_json_holds_what_the_table_shows(place: Path, cli: Cli) -> None:
    table = cli("segmodel", "evaluate", "--baselines", "none").out
    answer = cli("segmodel", "evaluate", "--json", "--baselines", "duration-position", "--per-view", "views.csv")
    content = json.loads(answer.out)
    assert content["run"] == "duration-user-position-1"
    assert list(content["models"]) == ["duration-user-position-1", "duration-position"]
    figures = content["models"][content["run"]]["groups"]["all"]
    assert f"{figures['nll']:.4f}" in table
    assert f"{figures['masked_ndcg@5']:.3f}" in table
    assert "-> views.csv" in answer.err
    views = pd.read_csv("views.csv")
    assert views.groupby("model").nll.mean()[content["run"]] == pytest.approx(figures["nll"])
    assert len(views) == 2 * figures["views"]


def test_other_views_are_scored_with_their_own_earlier_views_as_history(place: Path, cli: Cli) -> None:
    write_log(place / "later.csv", users=3, prefix="new", start_ms=10**9, seed=1)
    answer = cli("segmodel", "evaluate", "--interactions", "later.csv", "--json")
    assert answer.code == 0
    groups = json.loads(answer.out)["models"]["duration-user-position-1"]["groups"]
    assert groups["all"]["views"] == groups["cold user"]["views"] == 45
    assert "warm user" not in groups
    assert answer.err == ""
    assert "cold user" not in cli("segmodel", "evaluate", "--interactions", "later.csv").out.split("all:")[0]


def test_a_run_named_like_a_baseline_keeps_its_own_row(place: Path, cli: Cli) -> None:
    cli("segmodel", "train", "feats.h5", "--model", "duration-position", "--out", "runs/random", "--quiet")
    content = json.loads(cli("segmodel", "evaluate", "--json", "--baselines", "random").out)
    assert content["run"] == "run random"
    nll = [content["models"][name]["groups"]["all"]["nll"] for name in ("run random", "random")]
    assert nll[0] != nll[1]


def test_training_views_are_counted_in_a_warning(place: Path, cli: Cli) -> None:
    answer = cli("segmodel", "evaluate", "--interactions", "log.csv")
    assert answer.code == 0
    assert "warning: 120 of the views are training views of the run" in answer.err


def test_a_random_split_is_warned_of(place: Path, cli: Cli) -> None:
    cli("segmodel", "train", "feats.h5", "--model", "duration-position", "--split", "random", "--quiet")
    assert "random split leaks" in cli("segmodel", "evaluate", "--baselines", "none").err


def test_views_without_a_watch_time_are_left_out_and_counted(place: Path, cli: Cli) -> None:
    log = pd.read_csv(write_log(place / "later.csv", users=2, start_ms=10**9))
    log.loc[:4, "playing_time"] = 0
    log.to_csv("later.csv", index=False)
    answer = cli("segmodel", "evaluate", "--interactions", "later.csv", "--baselines", "none")
    assert "all: 25 views" in answer.out
    assert "5 views without a watch time left out" in answer.err
    log.assign(playing_time=0).to_csv("later.csv", index=False)
    answer = cli("segmodel", "evaluate", "--interactions", "later.csv")
    assert (answer.code, answer.out) == (1, "")
    assert "no view to evaluate on" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baselines", "magic"), "unknown baseline magic; valid are all, none, random"),
        (("--run", "nowhere"), "nowhere: no run"),
        (("--interactions", "absent.csv"), "absent.csv: no such log file"),
    ],
)
def test_mistakes_are_named_in_one_line(place: Path, cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    answer = cli("segmodel", "evaluate", *arguments)
    assert answer.code == 1
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_compare_trains_compares_and_writes(place: Path, cli: Cli) -> None:
    fit = ("--fit", "duration-position", "--store", "feats.h5", "--cuts", "0.8,0.9", "--seeds", "0,1", "-o", "out")
    answer = cli("segmodel", "compare", *fit, "--baselines", "random")
    assert answer.code == 0
    assert "**all cuts, all views**" in answer.out
    assert "test from 80%" not in answer.out
    assert "test from 80%" in (place / "out" / "comparison.md").read_text()
    assert sorted(p.name for p in (place / "out" / "runs").iterdir()) == [
        f"duration-position-from-{cut}-seed-{seed}" for cut in (800, 900) for seed in (0, 1)
    ]
    answer = cli("segmodel", "compare", "runs/latest", "out/runs/duration-position-from-900-seed-0")
    assert "duration-user-position" in answer.out
    assert "Δ is the difference to duration-position" in answer.out
    answer = cli("segmodel", "compare", "runs/latest", "--baselines", "random,item-position", "--reference", "random")
    assert answer.code == 0
    assert "Δ is the difference to random" in answer.out


def test_compare_asks_for_what_it_needs(place: Path, cli: Cli) -> None:
    assert cli("segmodel", "compare").code == 2
    assert "--fit needs --store" in cli("segmodel", "compare", "--fit", "random").err
    assert "no comma-separated list" in cli("segmodel", "compare", "runs/latest", "--seeds", "a").err
    assert "unknown reference 'x'" in cli("segmodel", "compare", "runs/latest", "--reference", "x").err


def test_ablate_trains_each_variant_and_goes_on_where_it_was(place: Path, cli: Cli) -> None:
    small = ("--model", "paper", "--epochs", "1", "--set", "d=8", "--set", "layers=1", "--device", "cpu")
    answer = cli("segmodel", "ablate", "feats.h5", *small, "-o", "abl")
    assert answer.code == 0
    for name in ("full", "no attention", "no position", "bce loss"):
        assert f"\n| {name} " in answer.out
    assert answer.err.count("paper: training ") == 4
    assert (place / "abl" / "paper" / "comparison.svg").read_text().startswith("<svg")
    again = cli("segmodel", "ablate", "feats.h5", *small, "-o", "abl")
    assert "training" not in again.err
    assert again.out == answer.out
