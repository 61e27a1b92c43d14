"""Going on: an update knows the whole log and forgets nothing; a run moved to another log knows that one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segfeat.interactions import Interactions
from segmodel.data.views import Rows
from segmodel.models.base import FitRun
from segmodel.models.hazard import fitting
from segmodel.models.hazard import model as hazard_model
from segmodel.runs.config import run_config
from segmodel.runs.data import RunData, open_data
from segmodel.runs.held_out import measure_run
from segmodel.runs.predictor import Predictor, open_predictor
from segmodel.runs.run import Run, load_run
from segmodel.runs.train import prepare, train
from segmodel.runs.update import update
from tests.segmodel.conftest import make_log, make_store

VIEWS = len(make_log(views_per_user=30).joined(Interactions.empty()))
"""Of the whole log, each once."""

SMALL = {"members": 2, "epochs": 2, "width": 8, "rank": 2, "batch_views": 64}


def write(log: Interactions, path: Path) -> Path:
    import pandas as pd

    pd.DataFrame(
        {
            "user_id": log.user_ids[log.user],
            "video_id": log.video_ids[log.video],
            "time_ms": log.time_ms,
            "duration_ms": log.duration_ms,
            "playing_time": log.watch_ms,
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, the first part of a log as one file and the rest as another, and a run of the first part."""
    folder = tmp_path_factory.mktemp("world")
    log = make_log(views_per_user=30)
    make_store(folder / "feats.h5", log)
    early = log.time_ms <= np.quantile(log.time_ms, 0.7)
    write(log.take(np.flatnonzero(early)), folder / "first.csv")
    write(log.take(np.flatnonzero(~early)), folder / "later.csv")
    options = {**SMALL, "interactions": str(folder / "first.csv")}
    train(prepare(run_config(folder / "feats.h5", options)), folder / "old", latest=False)
    return folder


@pytest.fixture(scope="module")
def updated(world: Path) -> Run:
    return update(world / "old", [world / "later.csv"], world / "new", latest=False)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_statistics_are_those_of_the_whole_log(world: Path, updated: Run) -> None:
    """As a run has them that was trained on it from the beginning, but for the means that networks are used to."""
    both = [str(world / "first.csv"), str(world / "later.csv")]
    config = run_config(world / "feats.h5", {**SMALL, "interactions": both})
    whole = train(prepare(config), world / "whole", latest=False).model
    model = updated.model
    assert isinstance(model, hazard_model.HazardModel)
    assert isinstance(whole, hazard_model.HazardModel)
    assert model.users.ids == whole.users.ids
    assert model.videos.ids == whole.videos.ids
    for name in ("inside", "after"):
        found, expected = getattr(model, name).arrays(), getattr(whole, name).arrays()
        assert found.keys() == expected.keys()
        for key in found.keys() - {"channel_means"}:
            np.testing.assert_array_equal(found[key], expected[key], err_msg=key)


def test_networks_go_on_from_their_weights(world: Path, updated: Run) -> None:
    before, after = load_run(world / "old").model, updated.model
    assert isinstance(before, hazard_model.HazardModel)
    assert isinstance(after, hazard_model.HazardModel)
    for old, new in zip(before.members.networks, after.members.networks, strict=True):
        pairs = [(a.detach(), b.detach()) for a, b in zip(old.parameters(), new.parameters(), strict=True)]
        moved = sum(float((a - b).abs().sum()) for a, b in pairs)
        size = sum(float(a.abs().sum()) for a, _ in pairs)
        assert 0 < moved < 0.5 * size


def test_it_learns_the_new_views_and_as_many_old_ones(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lessons: list[int] = []
    plain = fitting.Lesson.tune_member
    monkeypatch.setattr(
        fitting.Lesson,
        "tune_member",
        lambda self, *a: (lessons.append(sum(map(len, self.train))), plain(self, *a))[1],
    )
    asked: list[Rows] = []
    old_update = hazard_model.HazardModel.update

    def spy(self: hazard_model.HazardModel, data: object, split: object, fresh: Rows, run: FitRun) -> None:
        asked.append(fresh)
        old_update(self, data, split, fresh, run)  # type: ignore[arg-type]

    monkeypatch.setattr(hazard_model.HazardModel, "update", spy)
    update(world / "old", [world / "later.csv"], world / "again", latest=False)
    [fresh] = asked
    with open_predictor(world / "again") as predictor, open_predictor(world / "old") as earlier:
        train_rows = predictor.data.split.train
        keys = predictor.data.dataset.views.keys
        known = {*earlier.data.train_views.keys}
        assert {keys[row] for row in fresh.tolist()} == {keys[row] for row in train_rows.tolist()} - known
    assert lessons == [2 * len(fresh)] * SMALL["members"]


def test_the_run_says_where_it_comes_from(world: Path, updated: Run) -> None:
    old = load_run(world / "old")
    [ancestor] = updated.data["lineage"]
    assert ancestor["run"] == "old"
    assert ancestor["log_fingerprint"] == old.data["log_fingerprint"] != updated.data["log_fingerprint"]
    assert updated.config.updates == (str(world / "later.csv"),)
    with open_predictor(world / "new") as predictor:
        assert len(predictor.data.own_log) == VIEWS
        assert predictor.data.own_log.fingerprint() == updated.data["log_fingerprint"]
        assert len(predictor.test()) == updated.data["views"]["test"]


def test_a_store_that_carries_the_log_is_updated_too(world: Path, tmp_path: Path) -> None:
    log = make_log(views_per_user=30)
    early = np.flatnonzero(log.time_ms <= np.quantile(log.time_ms, 0.7))
    store = make_store(tmp_path / "carries.h5", log.take(early))
    train(prepare(run_config(store, SMALL)), tmp_path / "old", latest=False)
    new = update(tmp_path / "old", [world / "later.csv"], tmp_path / "new", latest=False)
    with open_predictor(new) as predictor:
        assert len(predictor.data.own_log) == VIEWS


def test_an_interrupted_update_leaves_the_old_run_as_it_was(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bytes_of(world / "old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting.Lesson, "tune_member", interrupted)
    with pytest.raises(KeyboardInterrupt):
        update(world / "old", [world / "later.csv"], world / "broken", latest=False)
    assert not (world / "broken").exists()
    assert bytes_of(world / "old") == before


@pytest.mark.parametrize(
    ("logs", "out", "words"),
    [
        (["first.csv"], "x", "knows all of these views already"),
        (["none.csv"], "x", "none.csv"),
        (["later.csv"], "old", "exists; choose another --out"),
    ],
)
def test_what_cannot_be(world: Path, logs: list[str], out: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        update(world / "old", [world / name for name in logs], world / out, latest=False)


def test_models_that_cannot_go_on_say_so(world: Path) -> None:
    config = run_config(world / "feats.h5", {"model": "item-position", "interactions": str(world / "first.csv")})
    train(prepare(config), world / "positions", latest=False)
    with pytest.raises(ValueError, match="cannot go on learning; train it anew"):
        update(world / "positions", [world / "later.csv"], world / "x", latest=False)
    assert not (world / "x").exists()


def test_the_command(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segfeat_cli.segmodel import segmodel

    monkeypatch.chdir(tmp_path)
    arguments = ["update", str(world / "old"), "--interactions", str(world / "later.csv")]
    done = CliRunner().invoke(segmodel, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["run"] == "runs/hazard-1"
    assert load_run("runs/latest").name == "hazard-1"


# -- another log -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that carries its log, and runs of it."""
    folder = tmp_path_factory.mktemp("own")
    store = make_store(folder / "feats.h5", make_log(views_per_user=30))
    train(prepare(run_config(store, SMALL)), folder / "hazard", latest=False)
    train(prepare(run_config(store, {"model": "item-position"})), folder / "positions", latest=False)
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Other users, other videos."""
    log = make_log(views_per_user=25, users=9, seed=5)
    names = {"user_ids": "w", "video_ids": "film"}
    log = replace(
        log, **{k: np.array([f"{n}{i}" for i in range(len(getattr(log, k)))], object) for k, n in names.items()}
    )
    return make_store(tmp_path / "foreign.h5", log)


def test_a_run_is_measured_on_another_platform(own: Path, foreign: Path) -> None:
    """With its weights and that log's statistics: it knows the users and videos, and no test view's outcome."""
    with open_predictor(own / "hazard", foreign) as predictor:
        measured = measure_run(predictor)
        assert "statistics are those of this log's training views" in measured.warnings[0]
        assert len(measured.own.views) == len(predictor.data.split.test)
        plain = predictor.run.model.predict(predictor.data.dataset.take(predictor.data.split.test))
    assert not np.allclose(measured.prediction.hazard, plain.hazard)
    whole = load_run(own / "hazard").model
    assert isinstance(whole, hazard_model.HazardModel)
    assert "w1" not in whole.users.ids  # the run itself stays as it is


def test_no_outcome_of_a_last_view_is_known(own: Path, foreign: Path) -> None:
    """Not to its own prediction, and not to the statistics that all others come from."""

    def predicted(change: bool) -> np.ndarray:
        with open_predictor(own / "hazard", foreign) as predictor:
            data = predictor.data
            views, log = data.dataset.views, data.own_log
            last = np.flatnonzero(np.diff(views.user, append=-1) != 0)
            rows = views.log_row[last] if change else []
            watch = log.watch_ms.copy()
            watch[rows] = np.maximum(1, log.duration_ms[rows] - watch[rows] % log.duration_ms[rows])
            changed = RunData(data.config, data.store, replace(log, watch_ms=watch))
            return measure_run(Predictor(predictor.run, changed)).prediction.hazard

    np.testing.assert_allclose(predicted(change=True), predicted(change=False), rtol=1e-12)


def test_a_model_without_weights_is_measured_as_it_is(own: Path, foreign: Path) -> None:
    with open_predictor(own / "positions", foreign) as predictor:
        assert "keeps its own log's statistics" in measure_run(predictor).warnings[0]


def test_open_data_is_what_an_update_wrote(world: Path, updated: Run) -> None:
    data = open_data(updated.config)
    with data.store:
        assert data.summary["log_fingerprint"] == updated.data["log_fingerprint"]
