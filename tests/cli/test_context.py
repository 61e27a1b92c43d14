"""Context from a log's column to a prediction: at import, at training, and in pairs that have the column or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Cli = Callable[..., Any]

SMALL = ("--set", "members=1", "--set", "epochs=2", "--set", "width=8", "--set", "rank=4", "--set", "folds=3")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Path:
    """Views of 20 s videos; in the tab ``search`` people stay, in ``feed`` most leave at once."""
    monkeypatch.chdir(tmp_path)
    n = 1200
    tab = rng.choice(["feed", "search"], n)
    stays = rng.random(n) < np.where(tab == "search", 0.9, 0.2)
    log = pd.DataFrame(
        {
            "user_id": [f"u{i % 60}" for i in range(n)], "video_id": [f"v{v}" for v in rng.integers(0, 30, n)],
            "time_ms": 1_700_000_000_000 + 60_000 * np.arange(n), "duration_ms": 20_000,
            "playing_time": np.where(stays, 20_000, 1_000), "tab": tab,
        }
    )  # fmt: skip
    log.to_csv("log.csv", index=False)
    later = log.tail(100).assign(time_ms=lambda t: t.time_ms + 10**8).drop(columns="playing_time")
    later.to_csv("pairs.csv", index=False)
    later.drop(columns="tab").to_csv("bare.csv", index=False)
    return tmp_path


def _leaves_at_once(cli: Cli, pairs: str) -> pd.DataFrame:
    answer = cli("segmodel", "predict-skip", "--pairs", pairs, "-o", "out.csv")
    assert answer.code == 0, answer.err
    found = pd.read_csv("out.csv").query("segment == 0")
    return found.merge(pd.read_csv("pairs.csv"), on=["user_id", "video_id", "time_ms"])


@pytest.mark.parametrize("where", ["store", "log"])
def test_pairs_are_predicted_in_their_context(place: Path, cli: Cli, where: str) -> None:
    at_import, at_training = (("--context", "tab"), ()) if where == "store" else ((), ("--context", "tab"))
    log = () if where == "store" else ("--interactions", "log.csv")
    assert cli("segfeat", "import", "csv", "log.csv", *at_import, "-o", "log.h5").code == 0
    answer = cli("segmodel", "train", "log.h5", *log, *at_training, *SMALL, "-q")
    assert answer.code == 0, answer.err
    found = _leaves_at_once(cli, "pairs.csv").groupby("tab").skip_probability.mean()
    assert found["feed"] > 0.5 > 0.3 > found["search"]
    bare = _leaves_at_once(cli, "bare.csv").groupby("tab").skip_probability.mean()
    assert found["feed"] - 0.1 > bare["feed"] > found["search"] + 0.1
    assert abs(bare["feed"] - bare["search"]) < 0.1


def test_a_column_that_the_log_lacks_is_named(place: Path, cli: Cli) -> None:
    assert cli("segfeat", "import", "csv", "log.csv", "-o", "log.h5").code == 0
    answer = cli("segmodel", "train", "log.h5", "--interactions", "log.csv", "--context", "page", *SMALL)
    assert answer.code != 0
    assert "missing column(s) page" in answer.err


TRAINING = {
    "train": ("train", *SMALL),
    "shift": ("shift", "--by", "tab", "--models", "duration-position"),
    "ablate": ("ablate", "--model", "hazard", *SMALL),
    "skip": ("benchmark", "skip", "--systems", "duration-position,gbdt-hazard", "--trials", "1", "--seeds", "1"),
    "watch-time": ("benchmark", "watch-time", "--systems", "wlr", "--trials", "1", "--seeds", "1", "--epochs", "1"),
    "recommend": ("benchmark", "recommend", "--backbones", "widedeep", "--modes", "segsum", "--trials", "1",
                  "--seeds", "1", "--epochs", "1", "--folds", "2"),
}  # fmt: skip


@pytest.mark.parametrize("command", TRAINING)
def test_every_command_that_trains_reads_a_log_with_its_columns_and_units(place: Path, cli: Cli, command: str) -> None:
    """Of a log in seconds, whose views would all be too short if nobody said so."""
    assert cli("segfeat", "import", "csv", "log.csv", "-o", "feats.h5").code == 0
    table = pd.read_csv("log.csv")
    numbers = ["time_ms", "duration_ms", "playing_time"]
    table.assign(**{name: table[name] / 1000 for name in numbers}).to_csv("seconds.csv", index=False)
    given = ("--interactions", "seconds.csv", "--unit", "s", "--context", "tab")
    name, *rest = TRAINING[command]
    inner = rest[:1] if name == "benchmark" else []
    answer = cli("segmodel", name, *inner, "feats.h5", *given, *rest[len(inner) :])
    assert answer.code == 0, answer.err
    if command == "ablate":
        assert "no context" in answer.out
    if command == "shift":
        assert "search" in answer.out


@pytest.mark.parametrize("command", TRAINING)
@pytest.mark.parametrize("option", [("--context", "tab"), ("--unit", "s")])
def test_columns_of_no_log_are_an_error(place: Path, cli: Cli, command: str, option: tuple[str, str]) -> None:
    assert cli("segfeat", "import", "csv", "log.csv", "-o", "feats.h5").code == 0
    name, *rest = TRAINING[command]
    inner = rest[:1] if name == "benchmark" else []
    answer = cli("segmodel", name, *inner, "feats.h5", *option, *rest[len(inner) :])
    assert answer.code != 0
    assert f"{option[0].strip('-')} without interactions" in answer.err
