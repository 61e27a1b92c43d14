"""A log in partitions from end to end: partition, train, evaluate, predict, one part in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.partitioned_log import PartitionedLog, open_partitions
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.data import memory
from segmodel.data.dataset import make_dataset
from segmodel.data.splits import temporal_split
from segmodel.evaluation.metrics import exit_nll
from segmodel.runs import data as run_data
from segmodel.runs.run import load_run

from .conftest import Answer

Cli = Callable[..., Answer]

USERS, VIEWS, PARTITIONS = 60, 20, 10

pytest.importorskip("duckdb", reason="DuckDB is not installed")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log and an empty store."""
    folder, rng = tmp_path_factory.mktemp("partitions"), np.random.default_rng(0)
    n = USERS * VIEWS
    duration_ms = rng.integers(5_000, 90_000, 40)
    video = rng.integers(0, 40, n)
    watched = np.minimum(rng.exponential(0.6, n), 1.2) * duration_ms[video]
    pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.permutation(np.repeat(np.arange(USERS), VIEWS))],
            "video_id": [f"v{i}" for i in video],
            "time_ms": 1_700_000_000_000 + rng.integers(0, 10**9, n),
            "duration_ms": duration_ms[video],
            "watch_ms": watched.astype(int) + 1,
            "tab": rng.choice(["feed", "search"], n),
        }
    ).to_csv(folder / "log.csv", index=False)
    write_store(folder / "feats.h5", StoreHeader(5.0, {}, {}), [])
    return folder


@pytest.fixture
def run(place: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was trained on the log in parts of at most 400 views; trained once."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(run_data, "PART_VIEWS", 400)
    if not (place / "run").exists():
        made = cli("segfeat", "partition", "log.csv", "-o", "views", "--partitions", PARTITIONS, "--threads", 1)
        assert made.code == 0, made.err
        settings = ("--set", "members=1", "--epochs", 2, "--out", "run")
        trained = cli("segmodel", "train", "feats.h5", "--interactions", "views", *settings)
        assert trained.code == 0, trained.err
        assert f"{USERS * VIEWS:,} of {USERS} users and 40 videos" in trained.out
        assert "960 train, 120 validate, 120 test" in trained.out
    return place / "run"


def nll_of(run: Path, place: Path) -> float:
    """The run's on its test views, by its model and the log in memory."""
    log = open_partitions(place / "views")
    data = make_dataset(log.read(*range(log.partitions)))
    test = data.take(temporal_split(data.views).test)
    return float(exit_nll(load_run(run).model.predict(test).slots, test.views.exit).mean())


def test_a_run_says_what_it_learned_from(run: Path) -> None:
    facts = json.loads((run / "data.json").read_text())
    assert facts["views"] == {"train": 960, "valid": 120, "test": 120}
    assert facts["log_fingerprint"] == open_partitions(run.parent / "views").fingerprint()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


def test_context_of_partitions_is_learned_from(
    place: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_data, "PART_VIEWS", 400)
    views, log = tmp_path / "views", place / "log.csv"
    made = cli("segfeat", "partition", log, "-o", views, "--partitions", PARTITIONS, "--context", "tab", "--json")
    assert json.loads(made.out)["context"] == ["tab"]
    train = ("segmodel", "train", place / "feats.h5", "--interactions", views, "--set", "members=1", "--epochs", 1)
    wrong = cli(*train, "--context", "page", "--out", tmp_path / "wrong")
    assert wrong.code == 1
    assert "views: no context column 'page'; there are: tab" in wrong.err
    for out, options in (("with", ("--context", "tab")), ("without", ())):
        assert cli(*train, *options, "--out", tmp_path / out).code == 0
    traits = {name: load_run(tmp_path / name).model.state()[0]["traits"] for name in ("with", "without")}
    assert traits == {"with": {"context": {"tab": ["feed", "search"]}}, "without": {}}
    # A pair brings its own.
    pairs = pd.DataFrame(
        {"user_id": "u1", "video_id": "v1", "time_ms": 1_800_000_000_000, "duration_ms": 30_000}, index=[0]
    )
    found = []
    for tab in ("feed", "search"):
        pairs.assign(tab=tab).to_csv(tmp_path / "pairs.csv", index=False)
        asked = ("--pairs", tmp_path / "pairs.csv", "-o", tmp_path / "skips.csv")
        assert cli("segmodel", "predict-skip", "--run", tmp_path / "with", *asked).code == 0
        found.append(pd.read_csv(tmp_path / "skips.csv").survival.to_numpy())
    assert not np.allclose(*found)


def test_it_reads_no_more_than_a_part_at_a_time(
    run: Path, cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[int]()
    original = PartitionedLog.read

    def spy(self: PartitionedLog, *numbers: int) -> object:
        found = original(self, *numbers)
        read.append(len(found))
        return found

    monkeypatch.setattr(PartitionedLog, "read", spy)
    assert cli("segmodel", "evaluate", "--run", run).code == 0
    assert cli("segmodel", "predict-skip", "--run", run, "-o", place / "spied.csv").code == 0
    assert 0 < max(read) <= 400


def test_evaluate_measures_all_test_views(run: Path, cli: Cli, place: Path) -> None:
    answer = cli("segmodel", "evaluate", "--run", run, "--json", "--per-view", place / "views.csv")
    assert answer.code == 0, answer.err
    models = json.loads(answer.out)["models"]
    assert {*models} == {
        "run", "random", "all-position", "user-position", "item-position", "duration-position",
        "duration-user-position",
    }  # fmt: skip
    assert models["run"]["groups"]["all"]["views"] == 120
    assert models["run"]["groups"]["all"]["nll"] == pytest.approx(nll_of(run, place), rel=1e-6)
    assert len({m["groups"]["all"]["nll"] for m in models.values()}) == len(models)
    assert len(pd.read_csv(place / "views.csv")) == 120 * len(models)


@pytest.mark.slow
def test_references_learn_the_same_from_parts(run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures() -> dict[str, float]:
        answer = cli("segmodel", "evaluate", "--run", run, "--json")
        models = json.loads(answer.out)["models"]
        return {name: m["groups"]["all"]["nll"] for name, m in models.items() if name != "run"}

    parts = figures()
    monkeypatch.setattr(run_data, "PART_VIEWS", 10_000)
    assert parts == pytest.approx(figures(), rel=1e-9)


def test_what_needs_the_log_in_memory_takes_it_where_it_fits_and_else_says_so(
    run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cli("segmodel", "evaluate", "--run", run, "--baselines", "none", "--slices", "all", "--json")
    assert answer.code == 0, answer.err
    monkeypatch.setattr(memory, "free_bytes", lambda: 1_000_000)
    refused = cli("segmodel", "evaluate", "--run", run, "--baselines", "gbdt-hazard")
    assert refused.code == 1
    assert "needs 1,200 views in memory, about 0.0 GB; 0.0 GB are free" in refused.err


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".json", ".jsonl"])
def test_predict_skip_writes_all_test_views(run: Path, cli: Cli, place: Path, suffix: str) -> None:
    answer = cli("segmodel", "predict-skip", "--run", run, "-o", place / f"skips{suffix}")
    assert answer.code == 0, answer.err
    assert "120 views" in answer.out
    readers = {".parquet": pd.read_parquet, ".json": pd.read_json, ".jsonl": lambda p: pd.read_json(p, lines=True)}
    table = readers.get(suffix, pd.read_csv)(place / f"skips{suffix}")
    assert table.groupby(["user_id", "video_id", "time_ms"]).ngroups == 120
    assert table.user_known.all()
    assert table.groupby(["user_id", "video_id", "time_ms"]).skip_probability.sum().between(0.0, 1.0).all()


def test_predict_skip_without_a_file_shows_the_first(run: Path, cli: Cli) -> None:
    answer = cli("segmodel", "predict-skip", "--run", run)
    assert answer.code == 0, answer.err
    assert "leaves most likely" in answer.out
    assert "all are written with -o" in answer.out


def test_pairs_know_the_histories_of_their_users(run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pd.DataFrame(
        {"user_id": ["u1", "u7", "new"], "video_id": "v1", "time_ms": 1_800_000_000_000, "duration_ms": 20_000}
    )
    pairs.to_csv("pairs.csv", index=False)

    def predicted() -> list[dict[str, object]]:
        answer = cli("segmodel", "predict-skip", "--run", run, "--pairs", "pairs.csv", "--json")
        assert answer.code == 0, answer.err
        found: list[dict[str, object]] = json.loads(answer.out)["pairs"]
        return found

    parts = predicted()
    assert [row["user_known"] for row in parts] == [True, True, False]
    monkeypatch.setattr(run_data, "PART_VIEWS", 10_000)
    for found, known in zip(parts, predicted(), strict=True):
        np.testing.assert_allclose(found.pop("skip_probability"), known.pop("skip_probability"), rtol=1e-6)
        for key in ("completion", "expected_watch_s"):
            assert found.pop(key) == pytest.approx(known.pop(key), rel=1e-6)
        assert found == known


def test_a_folder_without_partitions_is_named(place: Path, cli: Cli) -> None:
    (place / "nothing").mkdir(exist_ok=True)
    answer = cli("segmodel", "train", place / "feats.h5", "--interactions", place / "nothing")
    assert answer.code == 1
    assert "nothing: no complete log in partitions" in answer.err


def test_units_are_refused(place: Path, cli: Cli, run: Path) -> None:
    answer = cli("segmodel", "train", place / "feats.h5", "--interactions", place / "views", "--unit", "s")
    assert answer.code == 1
    assert "views: a log in partitions is in milliseconds" in answer.err


@pytest.mark.slow
def test_an_interrupted_training_goes_on(run: Path, cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segfeat_cli.segmodel.train import EpochLine

    def stop(self: object, record: object) -> None:
        raise KeyboardInterrupt

    settings = ("--set", "members=1", "--epochs", 2, "--out", "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(EpochLine, "__call__", stop)
        stopped = cli("segmodel", "train", "feats.h5", "--interactions", "views", *settings)
    assert stopped.code != 0
    resumed = cli("segmodel", "train", "--resume", "stopped")
    assert resumed.code == 0, resumed.err
    arrays = [load_run(folder).model.state()[1] for folder in (run, place / "stopped")]
    for key, values in arrays[0].items():
        np.testing.assert_array_equal(values, arrays[1][key], err_msg=key)
