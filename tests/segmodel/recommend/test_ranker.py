"""A user's list of videos, from the library and as the commands make it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segfeat_cli.segmodel import segmodel
from segmodel.recommend import saved
from segmodel.recommend.ranker import rank_videos
from segmodel.recommend.saved import run_effective
from segmodel.runs.config import run_config
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run, load_run
from segmodel.runs.train import prepare, train
from tests.segmodel.conftest import make_log, make_store


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ranker")
    log = make_log(users=10, videos=60)
    make_store(folder / "feats.h5", log)
    job = prepare(run_config(folder / "feats.h5", {"model": "duration-user-position"}))
    return train(job, folder / "run", latest=False)


@pytest.fixture
def store(trained: Run) -> Iterator[FeatureStore]:
    with trained.open_store() as opened:
        yield opened


def seen_by(store: FeatureStore, user: str) -> set[str]:
    log = store.interactions
    assert log is not None
    return {str(log.video_ids[v]) for u, v in zip(log.user, log.video, strict=True) if log.user_ids[u] == user}


def test_all_videos_that_the_user_has_not_watched(trained: Run, store: FeatureStore) -> None:
    found = rank_videos(open_predictor(trained), "u3")
    seen = seen_by(store, "u3")
    assert set(found.views.video_ids[found.views.video].tolist()) == set(store) - seen
    assert found.skipped == {"watched before": len(seen)}
    assert (np.diff(found.probability[found.order]) <= 0).all()
    assert len(rank_videos(open_predictor(trained), "u3", watched=True).order) == len(store)


def test_probability_is_that_of_getting_past_the_typical_exit(trained: Run, store: FeatureStore) -> None:
    found = rank_videos(open_predictor(trained), "u3")
    effective = run_effective(open_predictor(trained))
    logged = np.log(found.probability)
    bucket = effective.bucket(found.views.duration_ms)
    beyond = np.where(effective.median[bucket] >= 1, np.log(effective.beyond[bucket]), 0.0)
    np.testing.assert_allclose(found.contribution.sum(axis=1) + beyond, logged, atol=1e-6)
    assert (found.weight >= 0).all()
    assert found.weight.max() == 1.0
    row = int(found.order[0])
    best = found.best_segments(row)
    assert all(found.weight[row, s] > 0 for s in best)
    assert (np.diff(found.contribution[row, best]) <= 0).all()


def test_users_nobody_knows_get_a_list(trained: Run, store: FeatureStore) -> None:
    found = rank_videos(open_predictor(trained), "stranger")
    assert len(found.order) == len(store)
    assert found.skipped == {}


def test_what_cannot_be_ranked_is_named(trained: Run, store: FeatureStore) -> None:
    with pytest.raises(ValueError, match="video 'nope' is not in"):
        rank_videos(open_predictor(trained), "u3", ["v1", "nope"])
    with pytest.raises(ValueError, match=r"user 'u3' has watched all 1 candidates; --watched"):
        rank_videos(open_predictor(trained), "u3", [next(iter(seen_by(store, "u3")))])


def test_further_views_count_as_watched(trained: Run, store: FeatureStore) -> None:
    fresh = sorted(set(store) - seen_by(store, "u3"))[:2]
    one = Interactions(
        np.array(["u3"], dtype=object),
        np.array(fresh[:1], dtype=object),
        np.zeros(1, np.int32),
        np.zeros(1, np.int32),
        np.array([10**9]),
        np.array([2_000]),
        np.array([9_000]),
    )
    found = rank_videos(open_predictor(trained, history=one), "u3", fresh)
    assert found.views.video_ids[found.views.video].tolist() == fresh[1:]


def test_another_log_is_refused(trained: Run, tmp_path: Path) -> None:
    make_store(tmp_path / "other.h5", make_log(users=9, videos=60))
    with pytest.raises(ValueError, match="is not the one that run run was trained on"):
        rank_videos(open_predictor(trained, tmp_path / "other.h5"), "u3")


def test_segrec_is_fitted_once_for_each_run(
    trained: Run, store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(shutil.copytree(trained.folder, tmp_path / "run"))
    monkeypatch.setattr(saved, "_SETTINGS", {**saved._SETTINGS, "epochs": 2})
    said: list[str] = []
    first = rank_videos(open_predictor(run), "u3", by="widedeep", say=said.append)
    again = rank_videos(open_predictor(run.folder), "u3", by="widedeep", say=said.append)
    assert len(said) == 1
    assert "fitting SegRec on widedeep" in said[0]
    np.testing.assert_allclose(first.probability, again.probability, rtol=1e-5)
    np.testing.assert_array_equal(first.order, again.order)
    logit = np.log(first.probability / (1 - first.probability))
    np.testing.assert_allclose(first.contribution.sum(axis=1), logit, atol=1e-4)
    np.testing.assert_allclose(first.weight.sum(axis=1), 1.0, atol=1e-6)
    assert {p.suffix for p in (run.folder / "recommender-widedeep").iterdir()} == {".json", ".safetensors"}
    # Another training in the same folder has no use for it.
    facts = run.folder / "model" / "facts.json"
    facts.write_text(facts.read_text() + " ")
    rank_videos(open_predictor(run.folder), "u3", by="widedeep", say=said.append)
    assert len(said) == 2
    (run.folder / "recommender-widedeep" / "facts.json").write_text("{")
    with pytest.raises(ValueError, match="recommender-widedeep: no recommender"):
        rank_videos(open_predictor(run), "u3", by="widedeep")


def test_command(trained: Run, store: FeatureStore, tmp_path: Path) -> None:
    arguments = ["recommend", "--run", str(trained.folder), "--user", "u3"]
    result = CliRunner().invoke(segmodel, [*arguments, "--top", "3", "-o", str(tmp_path / "list.csv")])
    assert result.exit_code == 0, result.output
    found = rank_videos(open_predictor(trained), "u3")
    table = pd.read_csv(tmp_path / "list.csv")
    best = found.views.video_ids[found.views.video[found.order[:3]]].tolist()
    assert table.drop_duplicates("rank").video_id.tolist() == best
    assert result.output.splitlines()[1].split()[1] == best[0]
    assert table.groupby("rank").size().tolist() == found.views.segments[found.order[:3]].tolist()
    assert table.columns.tolist()[-3:] == ["interest", "weight", "contribution"]

    (tmp_path / "some.csv").write_text("video_id,title\nv1,a\nv2,b\nv1,a\n")
    result = CliRunner().invoke(segmodel, [*arguments, "--watched", "--candidates", str(tmp_path / "some.csv")])
    assert result.exit_code == 0, result.output
    assert {line.split()[1] for line in result.output.splitlines()[1:]} == {"v1", "v2"}

    (tmp_path / "some.csv").write_text("video_id\nv1\nnope\n")
    result = CliRunner().invoke(segmodel, [*arguments, "--candidates", str(tmp_path / "some.csv")])
    assert isinstance(result.exception, ValueError)
    assert "some.csv, row 2: video 'nope' is not in" in str(result.exception)


def test_right_after_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "feats.h5", make_log())
    settings = ["--set", "members=1", "--epochs", "1", "--quiet", "--device", "cpu"]
    result = CliRunner().invoke(segmodel, ["train", "feats.h5", *settings])
    assert result.exit_code == 0, result.output
    assert os.path.exists("runs/latest")
    for more in ([], ["--by", "can", "--device", "cpu"]):
        result = CliRunner().invoke(segmodel, ["recommend", "--user", "u1", "--top", "2", *more])
        assert result.exit_code == 0, result.output
        assert len([line for line in result.output.splitlines() if line.strip()[:1].isdigit() and "%" in line]) == 2
