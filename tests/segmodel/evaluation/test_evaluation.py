"""Evaluations by hand, their groups, their files, and agreement with a scorer that shares no code."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.data.views import Views, make_views
from segmodel.evaluation.evaluation import evaluate, groups, write_per_view
from segmodel.evaluation.view_metrics import METRICS, view_metrics
from segmodel.prediction import from_slots
from segmodel.runs.config import RunConfig
from segmodel.runs.data import RunData
from segmodel.runs.held_out import held_out

MakeLog = Callable[..., Interactions]


@pytest.fixture
def views(make_log: MakeLog) -> Views:
    """A skip in segment 1 of 3, a completion of 2, a skip of the only segment, a completion of 40."""
    return make_views(
        make_log(
            ("a", "three", 1, 7_000, 12_500),
            ("a", "two", 2, 99_000, 10_000),
            ("b", "one", 3, 1_000, 4_000),
            ("b", "forty", 4, 198_000, 198_000),
        )
    )


def slots_of(*rows: list[float], width: int = 41) -> np.ndarray:
    return np.array([row + [0.0] * (width - len(row)) for row in rows])


SLOTS = slots_of([0.4, 0.3, 0.1, 0.2], [0.1, 0.1, 0.8], [0.5, 0.5], [0.5] + [0.0] * 39 + [0.5])


def test_every_metric_of_four_views_by_hand(views: Views) -> None:
    found = view_metrics(from_slots(SLOTS, views), views)
    nan = np.nan
    np.testing.assert_array_equal(found.paper_rank, [2, 1, 2, nan])
    np.testing.assert_array_equal(found.masked_rank, [2, nan, 1, nan])
    np.testing.assert_allclose(found.nll, -np.log([0.3, 0.8, 0.5, 0.5]))
    np.testing.assert_allclose(found.brier, [0.16 + 0.49 + 0.01 + 0.04, 0.06, 0.5, 0.5])
    expected = [0.4 * 2.5 + 0.3 * 7.5 + 0.1 * 11.25 + 0.2 * 12.5, 0.25 + 0.75 + 8.0, 0.5 * 2 + 0.5 * 4, 1.25 + 99]
    np.testing.assert_allclose(found.expected_watch_s, expected)
    np.testing.assert_allclose(found.watch_error_s, np.abs(np.array(expected) - [7.0, 10.0, 1.0, 198.0]))
    np.testing.assert_allclose(found.completion, [0.2, 0.8, 0.5, 0.5])
    np.testing.assert_allclose(found.leaves_first, [0.4, 0.1, 0.5, 0.5])
    np.testing.assert_array_equal(found.completed, [False, True, False, True])
    np.testing.assert_array_equal(found.left_first, [False, False, True, False])
    summary = found.summary()
    assert (summary["views"], summary["paper_views"], summary["masked_views"]) == (4, 3, 2)
    assert summary["paper_hr@1"] == pytest.approx(1 / 3)
    assert summary["masked_ndcg@5"] == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert summary["nll"] == pytest.approx(-np.log(0.3 * 0.8 * 0.25) / 4)
    # Watched 7, 10, 1 and 198 s, expected 6.9, 9, 3 and 100: every pair in order.
    assert summary["xauc"] == 1.0
    # Completed with .8 and .5, not with .2 and .5: three pairs right, one tied.
    assert summary["completion_auc"] == 3.5 / 4
    only = found.summary(np.array([False, True, False, False]))
    assert only["views"] == 1
    assert math.isnan(only["masked_hr@1"])
    assert math.isnan(only["xauc"])


def test_a_model_that_does_not_know_the_length_ranks_all_forty(views: Views) -> None:
    score = np.tile(np.arange(41.0), (4, 1))
    blind = from_slots(SLOTS, views, leave_score=score, knows_length=False)
    np.testing.assert_array_equal(view_metrics(blind, views).paper_rank, [39, 38, 40, np.nan])
    np.testing.assert_array_equal(view_metrics(blind, views).masked_rank, [2, np.nan, 1, np.nan])


def test_the_paper_protocol_needs_its_own_segments_and_slots(views: Views) -> None:
    assert np.isnan(view_metrics(from_slots(SLOTS, views), views, max_segments=60).paper_rank).all()


def test_wrong_input_is_named(views: Views, make_log: MakeLog) -> None:
    with pytest.raises(ValueError, match="4 predictions for 3 views"):
        view_metrics(from_slots(SLOTS, views), views.take(np.arange(3)))
    unknown = make_views(make_log(("a", "two", 1, 0, 10_000)), watch_needed=False)
    with pytest.raises(ValueError, match="1 views have no watch time"):
        view_metrics(from_slots(SLOTS[1:2], unknown), unknown)
    with pytest.raises(ValueError, match=r"unknown metric 'auc'; valid are paper_hr@1, .*nll"):
        view_metrics(from_slots(SLOTS, views), views).values("auc")


def test_groups_go_by_names_not_by_codes(views: Views, make_log: MakeLog) -> None:
    """Training views come with id tables of their own."""
    train = make_views(make_log(("z", "two", 1, 1, 9_000), ("b", "nine", 1, 1, 9_000)))
    found = groups(views, train)
    np.testing.assert_array_equal(found["cold video"], [True, False, True, True])
    np.testing.assert_array_equal(found["cold user"], [True, True, False, False])
    np.testing.assert_array_equal(found["warm user"], ~found["cold user"])
    by_length = [name for name in found if "segment" in name]
    np.testing.assert_array_equal(sum(found[name].astype(int) for name in by_length), 1)
    np.testing.assert_array_equal(found["3-4 segments"], [True, False, False, False])


def test_the_file_per_view_gives_every_mean_again(views: Views, tmp_path: Path) -> None:
    found = evaluate(from_slots(SLOTS, views), views, views)
    for name in ("v.csv", "v.parquet"):
        write_per_view({"m": found, "n": found}, tmp_path / name)
        table = pd.read_csv(tmp_path / name) if name.endswith("csv") else pd.read_parquet(tmp_path / name)
        assert len(table) == 8
        table = table[table.model == "m"]
        assert table.user_id.tolist() == ["a", "a", "b", "b"]
        assert table.exit.tolist() == [1, 2, 0, 40]
        assert not table.cold_video.any()
        summary = found.summaries()["all"]
        assert table.nll.mean() == pytest.approx(summary["nll"])
        assert (table.paper_rank.dropna() <= 1).mean() == pytest.approx(summary["paper_hr@1"])
        assert (1 / np.log2(table.masked_rank.dropna().astype(float) + 1)).mean() == pytest.approx(
            summary["masked_ndcg@10"]
        )


def test_json_has_all_groups_and_no_numbers_that_are_none(views: Views) -> None:
    text = json.dumps(evaluate(from_slots(SLOTS, views), views, views).to_json(), allow_nan=False)
    content = json.loads(text)
    assert content["groups"]["all"]["views"] == 4
    assert "cold video" not in content["groups"]
    assert content["groups"]["2 segments"]["masked_hr@1"] is None
    assert set(METRICS) <= set(content["groups"]["all"])
    assert content["calibration"]["completes"]["views"] == [1, 1, 1, 1]


def _scorer(path: Path) -> ModuleType:
    if not path.exists():
        pytest.skip(f"no independent scorer: {path} is absent")
    spec = importlib.util.spec_from_file_location("independent_scorer", path)
    if spec is None or spec.loader is None:
        pytest.skip(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["segmm", "kuairand"])
def test_an_independent_scorer_agrees_on_real_views(
    name: str, request: pytest.FixtureRequest, root: Path, tmp_path: Path
) -> None:
    """Duration references fitted and scored by code that shares nothing with ours: the same figures for every view."""
    log_file: Path = request.getfixturevalue(f"{name}_csv")
    scorer = _scorer(root.parent / "shared" / "tools" / "score_predictions.py")
    write_store(tmp_path / "bare.h5", StoreHeader(5.0, {}, {}), [])
    store = FeatureStore(tmp_path / "bare.h5")
    run_data = RunData(RunConfig(store=str(store.path), model="random"), store, read_interactions(log_file))
    data, split, held = run_data.dataset, run_data.split, held_out(run_data)

    def table(rows: np.ndarray) -> pd.DataFrame:
        v = data.views.take(rows)
        done = v.completed.astype(int)
        return pd.DataFrame(
            {
                "user_id": v.user, "video_id": v.video, "time_ms": v.time_ms,
                "N": v.segments, "y": v.exit, "comp": done,
            }
        )  # fmt: skip

    # The scorer's own reading of the file gives the same views ...
    theirs: Any = scorer.load(log_file).drop_duplicates(["user_id", "video_id", "time_ms"])
    assert len(theirs) == len(data.views)
    assert theirs.comp.sum() == data.views.completed.sum()
    assert np.bincount(theirs.y).tolist() == np.bincount(data.views.exit).tolist()
    # ... and its references the same ranks and likelihoods.
    names = {"DurationPosition": "duration-position", "DurationUserPosition": "duration-user-position"}
    test = table(split.test)
    for title, probability in scorer.duration_models(table(split.train), test):
        ours = held.baseline(names[title]).metrics
        expected = scorer.evaluate(probability, test)
        np.testing.assert_allclose(ours.nll, expected["nll"], atol=1e-6)
        # Probabilities that differ in the last bit may swap the ranks of a tie, hence means.
        for protocol, key in (("paper", "a"), ("masked", "b")):
            for k in (1, 5, 10):
                share = (expected[key] <= k).mean()
                assert ours.summary()[f"{protocol}_hr@{k}"] == pytest.approx(share, abs=1e-3)
            assert ours.summary()[f"{protocol}_ndcg@5"] == pytest.approx(scorer.ndcg(expected[key]).mean(), abs=1e-3)
