"""A run from a log in seconds: what is asked of it later is in seconds, too, or is refused with the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segmodel.serve.journal import WatchedView, open_journal

Cli = Callable[..., Any]

SMALL = ("--model", "hazard", "--set", "members=1", "--set", "epochs=1", "--set", "width=8", "--set", "rank=4")
NUMBERS = ["time_ms", "duration_ms", "playing_time"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Path:
    """A log, later views and pairs, each in milliseconds and in seconds, and a run of each kind."""
    monkeypatch.chdir(tmp_path)
    n = 600
    log = pd.DataFrame(
        {
            "user_id": [f"u{i % 30}" for i in range(n)], "video_id": [f"v{v}" for v in rng.integers(0, 30, n)],
            "time_ms": 1_700_000_000_000 + 60_000 * np.arange(n), "duration_ms": 20_000,
            "playing_time": np.where(rng.random(n) < 0.5, 20_000, 2_000),
        }
    )  # fmt: skip
    later = log.tail(60).assign(time_ms=lambda t: t.time_ms + 10**8)
    for name, table in (("log", log), ("later", later), ("pairs", later.drop(columns="playing_time"))):
        table.to_csv(f"{name}.csv", index=False)
        numbers = [c for c in NUMBERS if c in table]
        table.assign(**{c: table[c] / 1000 for c in numbers}).to_csv(f"{name}_s.csv", index=False)
    return tmp_path


def runs(cli: Cli) -> None:
    """``files`` read the log in seconds, ``store`` has it from a store, ``ms`` read it in milliseconds."""
    assert cli("segfeat", "import", "csv", "log_s.csv", "--unit", "s", "-o", "log.h5").code == 0
    for out, given in (
        ("files", ("--interactions", "log_s.csv", "--unit", "s")),
        ("store", ()),
        ("ms", ("--interactions", "log.csv")),
    ):
        answer = cli("segmodel", "train", "log.h5", *given, *SMALL, "--out", out, "-q")
        assert answer.code == 0, answer.err


def told(cli: Cli, run: str, pairs: str, *more: str) -> pd.DataFrame:
    answer = cli("segmodel", "predict-skip", run, "--pairs", pairs, *more, "-o", "out.csv")
    assert answer.code == 0, answer.err
    return pd.read_csv("out.csv")


def test_a_runs_units_are_those_of_all_that_it_is_asked(place: Path, cli: Cli) -> None:
    runs(cli)
    expected = told(cli, "ms", "pairs.csv", "--history", "later.csv")
    assert expected.user_known.all()
    for found in (
        told(cli, "files", "pairs_s.csv", "--history", "later_s.csv"),
        told(cli, "store", "pairs.csv", "--history", "later.csv"),
        told(cli, "store", "pairs_s.csv", "--history", "later_s.csv", "--unit", "s"),
        told(cli, "files", "pairs.csv", "--history", "later.csv", "--unit", "ms"),
    ):
        pd.testing.assert_frame_equal(found, expected)
    measured = []
    for run, log, *unit in (("ms", "later.csv"), ("files", "later_s.csv"), ("store", "later_s.csv", "--unit", "s")):
        answer = cli("segmodel", "evaluate", run, "--interactions", log, *unit, "--baselines", "none")
        measured.append([line.replace(run, "run").split() for line in answer.out.splitlines()[1:]])
    assert measured[0] == measured[1] == measured[2]
    assert len(measured[0]) > 5


def test_a_servers_journal_is_in_milliseconds_whatever_the_log_was_in(place: Path, cli: Cli) -> None:
    runs(cli)
    journal = open_journal("journal.sqlite")
    for row in pd.read_csv("later.csv").itertuples():
        journal.append(WatchedView(row.user_id, row.video_id, row.time_ms, row.duration_ms, row.playing_time))
    journal.close()
    expected = told(cli, "ms", "pairs.csv", "--history", "later.csv")
    for unit in ((), ("--unit", "s")):
        found = told(cli, "files", "pairs_s.csv", "--history", "journal.sqlite", *unit)
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("run", ["store", "ms"])
def test_another_unit_is_refused_with_a_cure_that_works(place: Path, cli: Cli, run: str) -> None:
    runs(cli)
    for command in (
        ("predict-skip", run, "--pairs", "pairs_s.csv"),
        ("predict-skip", run, "--user", "u1", "--video", "v1", "--history", "later_s.csv"),
        ("evaluate", run, "--interactions", "later_s.csv", "--baselines", "none"),
        ("compare", run, "--interactions", "later_s.csv"),
        ("recommend", run, "--user", "u1", "--history", "later_s.csv"),
        ("update", run, "--interactions", "later_s.csv", "--out", "later"),
    ):
        answer = cli("segmodel", *command)
        assert answer.code != 0
        assert "--unit time=s" in answer.err, command
        assert not Path("later").exists()
        if run == "store" or command[0] != "update":
            cured = cli("segmodel", *command, "--unit", "s")
            assert cured.code == 0, cured.err


def test_an_update_keeps_its_unit_for_the_next(place: Path, cli: Cli) -> None:
    runs(cli)
    assert cli("segmodel", "update", "store", "--interactions", "later_s.csv", "--unit", "s", "--out", "a").code == 0
    assert cli("segmodel", "update", "ms", "--interactions", "later.csv", "--out", "b").code == 0
    pd.testing.assert_frame_equal(told(cli, "a", "pairs_s.csv"), told(cli, "b", "pairs.csv"))
    mixed = cli("segmodel", "update", "ms", "--interactions", "later_s.csv", "--unit", "s", "--out", "c")
    assert mixed.code != 0
    assert "the run's own files are in ms" in mixed.err
