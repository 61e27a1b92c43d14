"""Predictions for pairs: histories, cold ids, missing durations, and the file that comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.interactions import Interactions
from segmodel.runs.config import run_config
from segmodel.runs.pairs import pairs_of
from segmodel.runs.predictor import SkippedPair, open_predictor
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train

COLUMNS = [
    "user_id", "video_id", "time_ms", "segment", "start_s", "end_s", "interest", "skip_probability", "survival",
    "user_known", "video_known",
]  # fmt: skip


@pytest.fixture
def run(store_path: Path, workplace: Path) -> Run:
    return train(prepare(run_config(store_path, {"model": "paper", "d": 8, "layers": 1, "heads": 2, "epochs": 1})))


def test_the_file_has_one_row_per_segment_and_sums_to_one(run: Run, tmp_path: Path) -> None:
    found = open_predictor(run).test()
    found.write(tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table.columns) == COLUMNS
    assert len(table) == found.views.segments.sum()
    views = table.groupby(["user_id", "video_id", "time_ms"])
    assert len(views) == len(found.views) == run.data["views"]["test"]
    np.testing.assert_allclose(views.skip_probability.sum() + views.survival.last(), 1.0, atol=1e-6)
    assert (table.end_s > table.start_s).all()


def test_users_and_videos_never_seen_are_scored(run: Run, log: Interactions) -> None:
    pairs = pairs_of(["u1", "nobody"], ["v1", "nothing"], log)
    pairs = replace(pairs, duration_ms=np.where(pairs.video == 1, 12_000, 0))
    found = open_predictor(run).pairs(pairs)
    assert len(found.views) == 4
    assert found.video_known.tolist() == [True, False, True, False]
    assert found.user_known.tolist() == [True, True, False, False]
    assert np.isfinite(found.prediction.slots).all()
    assert found.views.segments[1] == 3


def test_a_pair_without_any_duration_is_skipped_with_its_reason(run: Run, log: Interactions) -> None:
    found = open_predictor(run).pairs(pairs_of(["u1", "nobody"], ["v1", "nothing"], log))
    assert len(found) == 2
    assert found.skipped == tuple(
        SkippedPair(user, "nothing", "not in the store, and no duration given") for user in ("u1", "nobody")
    )
    assert found.user_known.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"no pair can be predicted: 1 × not in the store.*'nothing'"):
        open_predictor(run).product(["u1"], ["nothing"])


def test_too_long_pairs_are_named_not_predicted(run: Run, log: Interactions) -> None:
    pairs = replace(pairs_of(["u1"], ["v1", "long"], log), duration_ms=np.array([0, 500_000]))
    found = open_predictor(run).pairs(pairs)
    assert len(found.views) == 1
    assert found.skipped == (SkippedPair("u1", "long", "duration of 200 s or more"),)
    assert found.reasons() == {"duration of 200 s or more": 1}


def test_earlier_pairs_with_a_watch_time_are_history(run: Run, log: Interactions) -> None:
    """A later pair's prediction changes with an earlier pair's watch time, but not with a tied one's."""

    def last(watch_ms: int, time_ms: int) -> np.ndarray:
        pairs = Interactions(
            user_ids=np.array(["new"], object),
            video_ids=np.array(["v0", "v1"], object),
            user=np.zeros(2, np.int32),
            video=np.array([0, 1], np.int32),
            time_ms=np.array([time_ms, 1000], np.int64),
            watch_ms=np.array([watch_ms, 0], np.int64),
            duration_ms=np.zeros(2, np.int64),
        )
        return open_predictor(run).pairs(pairs).prediction.slots[1]

    assert not np.allclose(last(0, 500), last(9_000, 500))
    np.testing.assert_allclose(last(0, 1000), last(9_000, 1000))


def test_predictions_keep_the_order_of_the_pairs(run: Run, log: Interactions) -> None:
    found = open_predictor(run).pairs(pairs_of(["u3", "u1"], ["v5", "v2"], log))
    v = found.views
    named = [(v.user_ids[u], v.video_ids[i]) for u, i in zip(v.user, v.video, strict=True)]
    assert named == [("u3", "v5"), ("u3", "v2"), ("u1", "v5"), ("u1", "v2")]


def test_a_run_refuses_a_store_with_other_encoders(run: Run, tmp_path: Path, log: Interactions) -> None:
    import h5py

    other = Path(run.config.store)
    with h5py.File(other, "r+") as file:
        file["features/visual"].attrs["name"] = "other:encoder"
    with pytest.raises(ValueError, match="visual encoder 'other:encoder' against 'test:visual'"):
        run.open_store()
