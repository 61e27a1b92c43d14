"""Answers are those of ``segmodel predict-skip --history JOURNAL``, for any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from segfeat_cli.segmodel import segmodel
from segmodel.data.views import Views
from segmodel.serve.app import create_app
from segmodel.serve.responses import predictions
from segmodel.serve.scorer import Question
from segmodel.serve.service import Service

VIDEOS = [f"v{i}" for i in (3, 1, 4, 0, 5, 9)]
COLUMNS = ["start_s", "end_s", "interest", "skip_probability", "survival"]


def offline(run: Path, tmp_path: Path, *options: object) -> pd.DataFrame:
    out = tmp_path / "skips.csv"
    command = ["predict-skip", "--run", run, "-o", out, *options]
    result = CliRunner().invoke(segmodel, [str(part) for part in command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return pd.read_csv(out, dtype={"video_id": str})


def online(client: TestClient, **question: Any) -> dict[str, Any]:
    reply = client.post("/v1/predict-skip", json={"segments": True, **question})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def assert_equal(answer: dict[str, Any], table: pd.DataFrame) -> None:
    assert {row["video_id"] for row in answer["predictions"]} == set(table.video_id)
    for row in answer["predictions"]:
        part = table[table.video_id == row["video_id"]]
        for column in COLUMNS:
            np.testing.assert_allclose(row["segments"][column], part[column], atol=1e-6)
        assert row["completion"] == pytest.approx(part.survival.iloc[-1], abs=1e-6)
        middle_s = (part.start_s + part.end_s) / 2
        expected_s = (part.skip_probability * middle_s).sum() + row["completion"] * row["duration_s"]
        assert row["expected_watch_s"] == pytest.approx(expected_s, abs=1e-4)
        assert row["skip"]["segment"] == part.skip_probability.argmax()
        assert (part.time_ms == answer["time_ms"]).all()


@pytest.mark.parametrize("model", ["user-position", "gbdt-hazard", "paper", "hazard"])
def test_answers_equal_the_command_for_known_new_and_unknown_users(
    model: str, start: Callable[..., Service], run_of: Callable[[str], Path], journal: Path, tmp_path: Path
) -> None:
    run = run_of(model)
    with TestClient(create_app(start(model))) as client:
        asked = [part for v in VIDEOS for part in ("--video", v)]
        first = online(client, user_id="u3", video_ids=VIDEOS)
        assert_equal(first, offline(run, tmp_path, "--user", "u3", *asked))

        for i, (user, watch_ms) in enumerate([("u3", 200), ("u3", 90_000), ("new", 300), ("u3", 100), ("new", 400)]):
            event = {"user_id": user, "video_id": f"v{i}", "time_ms": 3_000_000 + 1000 * i, "watch_ms": watch_ms}
            assert client.post("/v1/events", json=event).status_code == 201
        # One video that nobody knows, and out of order.
        strange = {"user_id": "u3", "video_id": "?", "time_ms": 1_000_001, "watch_ms": 7000, "duration_ms": 8000}
        assert client.post("/v1/events", json=strange).status_code == 201

        for user in ("u3", "new", "nobody"):
            answer = online(client, user_id=user, video_ids=VIDEOS)
            table = offline(run, tmp_path, "--history", journal, "--user", user, *asked)
            assert_equal(answer, table)
            if user == "u3" and model != "user-position":  # which knows only what it was trained on
                assert answer["predictions"] != first["predictions"]


@pytest.mark.parametrize("model", ["gbdt-hazard", "paper", "hazard"])
def test_an_explicit_history_equals_the_same_views_in_a_log(
    model: str, start: Callable[..., Service], run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    history = [
        {"video_id": "v2", "time_ms": 500, "watch_ms": 90_000},
        {"video_id": "??", "time_ms": 400, "watch_ms": 300, "duration_ms": 12_000},
        {"video_id": "v7", "time_ms": 500, "watch_ms": 100},
        {"video_id": "v7", "time_ms": 500, "watch_ms": 80_000},
    ]
    views = pd.DataFrame({"user_id": "somebody", "duration_ms": 0, **pd.DataFrame(history)}).fillna({"duration_ms": 0})
    views.to_csv(tmp_path / "views.csv", index=False)
    asked = [part for v in VIDEOS for part in ("--video", v)]
    with TestClient(create_app(start(model))) as client:
        answer = online(client, history=history, video_ids=VIDEOS)
    table = offline(run_of(model), tmp_path, "--history", tmp_path / "views.csv", "--user", "somebody", *asked)
    assert_equal(answer, table)


def test_a_moment_in_the_past_knows_only_what_was_before(
    start: Callable[..., Service], run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    pairs = pd.DataFrame({"user_id": "u4", "video_id": [*VIDEOS, "?"], "time_ms": 1_300_000, "duration_ms": 0})
    pairs.loc[pairs.video_id == "?", "duration_ms"] = 16_000
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    with TestClient(create_app(start("paper"))) as client:
        asked = {"video_ids": [*VIDEOS, "?", "v1"], "durations_ms": {"?": 16_000}, "user_id": "u4"}
        answer = online(client, time_ms=1_300_000, **asked)
        later = online(client, **asked)
    assert [row["video_id"] for row in answer["predictions"]] == [*VIDEOS, "?"]
    assert_equal(answer, offline(run_of("paper"), tmp_path, "--pairs", tmp_path / "pairs.csv"))
    assert answer["predictions"] != later["predictions"]


@pytest.mark.parametrize("user_id", ["u3", "nobody"])
def test_videos_of_the_store_are_bound_as_any_others(start: Callable[..., Service], user_id: str) -> None:
    scorer = start("hazard").scorer
    question = Question(["v3", "v1", "v4", "v3", "v0"], user_id, time_ms=2_500_000)
    short = scorer.answer(question)
    long = scorer.answer(replace(question, durations_ms={"unheard of": 5000}))
    assert short.video_ids == long.video_ids == ["v3", "v1", "v4", "v0"]
    for f in fields(Views):
        if f.name not in ("user_ids", "video_ids", "dropped"):
            np.testing.assert_array_equal(getattr(short.views, f.name), getattr(long.views, f.name), err_msg=f.name)
    np.testing.assert_array_equal(short.prediction.slots, long.prediction.slots)


def test_numbers_that_json_does_not_know_are_not_sent(start: Callable[..., Service]) -> None:
    answer = start("hazard").scorer.answer(Question(["v3"], "u3"))
    broken = replace(answer.prediction, expected_watch_s=np.array([np.nan]))
    with pytest.raises(ValueError, match="not finite"):
        predictions(replace(answer, prediction=broken), segments=False)
