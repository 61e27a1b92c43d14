"""What was worked out of a log is what would be worked out again, and nobody works it out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segfeat.interactions import Interactions
from segfeat.log_file import log_of_frame
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segmodel.data.dataset import make_dataset
from segmodel.data.views import make_views
from segmodel.models.hazard.inference.expectations import Expectations
from segmodel.models.hazard.members import Members
from segmodel.models.hazard.model import HazardModel
from segmodel.runs.config import run_config
from segmodel.runs.predictor import Predictor, open_predictor
from segmodel.runs.run import WORKED_OUT, Run
from segmodel.runs.train import prepare, train
from segmodel.runs.update import update

LATER_MS = 10**13


@pytest.fixture
def run(store_path: Path, tmp_path: Path) -> Run:
    out = tmp_path / "runs" / "run"
    return train(prepare(run_config(store_path, {"model": "hazard", "members": 2, "epochs": 1})), out, latest=False)


def without(run: Run) -> Predictor:
    """The same run, as one of before would be."""
    predictor = open_predictor(replace(run))
    assert isinstance(predictor.run.model, HazardModel)
    predictor.run.model.scorer.expectations.clear()
    return predictor


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many views the networks were run over, time after time."""
    rows, original = list[int](), Members.mean_hazard

    def counted(members: Members, batches: Any, data: Any, *more: Any) -> Any:
        rows.append(len(data))
        return original(members, batches, data, *more)

    monkeypatch.setattr(Members, "mean_hazard", counted)
    return rows


def asked(predictor: Predictor, users: list[str], time_ms: int = LATER_MS) -> pd.DataFrame:
    videos = predictor.data.own_log.video_ids[:4].tolist()
    rows = [(user, video, time_ms, 20_000) for user in users for video in videos]
    return pd.DataFrame(rows, columns=["user_id", "video_id", "time_ms", "duration_ms"])


def survival(predictor: Predictor, pairs: pd.DataFrame) -> np.ndarray:
    return predictor.pairs(predictor.data.read(pairs, watch_needed=False)).survival


@pytest.mark.parametrize("count", [1, 5])
def test_predictions_are_the_same_and_pasts_of_the_log_are_not_run_again(
    run: Run, computed: list[int], count: int
) -> None:
    for_one_moment = count == 1
    with open_predictor(replace(run)) as quick, without(run) as slow:
        users = [*quick.data.own_log.user_ids[:count].tolist(), *([] if for_one_moment else ["nobody"])]
        found = survival(quick, asked(quick, users))
        assert sum(computed) == (0 if for_one_moment else len(found))
        computed.clear()
        known = survival(slow, asked(slow, users))
        assert sum(computed) > len(known) * (not for_one_moment)
        np.testing.assert_allclose(found, known, atol=1e-6)


def with_views(run: Run, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "video_id", "time_ms", "duration_ms", "watch_ms"])


def test_from_the_first_view_on_that_the_log_does_not_have_all_is_worked_out(run: Run, computed: list[int]) -> None:
    with open_predictor(replace(run)) as predictor:
        log = predictor.data.own_log
    user = log.user_ids[0]
    times = np.sort(log.time_ms[log.user == 0])
    for after, rest in ((len(times), 1), (len(times) // 2, len(times) - len(times) // 2 + 1), (0, len(times) + 1)):
        time_ms = int(times[after - 1]) + 1 if after else int(times[0]) - 1
        history = with_views(run, (user, log.video_ids[0], time_ms, 20_000, 300))
        with open_predictor(replace(run), history=history) as quick:
            computed.clear()
            found = survival(quick, asked(quick, [user]))
            # Views that share a time with their neighbours come before or after them.
            assert abs(sum(computed) - rest) <= 1
        with open_predictor(replace(run), history=history) as slow:
            slow.run.model.scorer.expectations.clear()  # type: ignore[attr-defined]
            np.testing.assert_allclose(found, survival(slow, asked(slow, [user])), atol=1e-6)


def test_another_store_recalls_nothing(run: Run, store_path: Path, tmp_path: Path) -> None:
    with FeatureStore(store_path) as store:
        write_store(tmp_path / "other.h5", store.header, [], interactions=store.interactions)
    with open_predictor(run) as own, open_predictor(run, tmp_path / "other.h5") as other:
        assert own.run.model.scorer.expectations  # type: ignore[attr-defined]
        assert not other.run.model.scorer.expectations  # type: ignore[attr-defined]
    (run.folder / "model" / WORKED_OUT).rename(tmp_path / WORKED_OUT)
    with open_predictor(replace(run)) as before:
        assert not before.run.model.scorer.expectations  # type: ignore[attr-defined]
    (tmp_path / WORKED_OUT).rename(run.folder / "model" / WORKED_OUT)


def test_an_updated_run_has_its_own(run: Run, tmp_path: Path, computed: list[int]) -> None:
    with open_predictor(replace(run)) as predictor:
        user, videos = predictor.data.own_log.user_ids[0], predictor.data.own_log.video_ids
    new = with_views(run, *((user, video, LATER_MS - 1000 + i, 20_000, 9000) for i, video in enumerate(videos[:9])))
    new.to_csv(tmp_path / "new.csv", index=False)
    later = update(run, [tmp_path / "new.csv"], tmp_path / "later", latest=False)
    with open_predictor(replace(later)) as predictor:
        computed.clear()
        survival(predictor, asked(predictor, [user]))
        assert sum(computed) == 0


def test_a_model_without_the_filter_works_nothing_out(store_path: Path, tmp_path: Path) -> None:
    options = {"model": "hazard", "members": 1, "epochs": 1, "user_filter": False}
    made = train(prepare(run_config(store_path, options)), tmp_path / "run", latest=False)
    assert not (made.folder / "model" / WORKED_OUT).exists()
    with open_predictor(made) as predictor:
        assert len(survival(predictor, asked(predictor, predictor.data.own_log.user_ids[:2].tolist()))) == 8


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_rows_and_hazards_by_hand(make_log: Callable[..., Interactions]) -> None:
    views = make_views(
        make_log(
            ("a", "v", 1, 12_000, 20_000),  # reaches segments 0, 1, 2
            ("a", "w", 2, 300, 20_000),  # 0
            ("b", "v", 1, 20_000, 20_000),  # all four
            ("a", "v", 3, 6_000, 20_000),  # 0, 1
        )
    )
    user = np.array([2, 2, 2, 1])  # codes of another order than the table's
    video = np.array([1, 2, 1, 1])
    hazard, cold = np.arange(20.0).reshape(4, 5), np.array([True, False, False, False])
    parts = [np.array([0, 1, 2]), np.array([3])]
    found = Expectations.of(views, user, video, [(rows, hazard[rows], cold[rows]) for rows in parts])
    assert (found.first.tolist(), found.end.tolist()) == ([0, 3, 0], [0, 4, 3])
    assert found.hazard.tolist() == [0, 1, 2, 5, 10, 11, 15, 16, 17, 18]
    again = Expectations.of_arrays(found.arrays())
    rows = again.rows(views, user, video)
    assert rows.tolist() == [0, 1, 2, 3]
    assert again.cold[rows].tolist() == [True, False, False, False]
    assert again.of_rows(rows[[0, 3]], 5).tolist() == [[0, 1, 2, 0, 0], [15, 16, 17, 18, 0]]
    # Another video, a user nobody knows, one beyond the table, and a view that is missing.
    assert again.rows(views, user, np.array([1, 1, 1, 1])).tolist() == [0, -1, -1, 3]
    assert again.rows(views, np.array([0, 0, 0, 7]), video).tolist() == [-1, -1, -1, -1]
    assert again.rows(views.take(np.array([1, 2, 3])), user[1:], video[1:]).tolist() == [-1, -1, 3]
    assert again.rows(views.take(np.zeros(0, int)), user[:0], video[:0]).tolist() == []


def test_nothing_is_expected_of_an_empty_log() -> None:
    frame = pd.DataFrame(columns=["user_id", "video_id", "time_ms", "watch_ms", "duration_ms"])
    views = make_views(log_of_frame(frame))
    nothing = np.zeros(0, np.int64)
    found = Expectations.of(views, nothing, nothing, [])
    assert make_dataset(log_of_frame(frame)).views is not None
    assert found.rows(views, nothing, nothing).tolist() == []
