"""What the moment of a question is, and of every reported view, counts as in a log with context columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

import segmodel
from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions
from segmodel.runs.config import run_config
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train
from segmodel.serve.app import create_app
from segmodel.serve.journal import WatchedView
from segmodel.serve.scorer import open_scorer
from segmodel.serve.service import Service
from segmodel.serve.sqlite_journal import SqliteJournal
from tests.segmodel.serve.conftest import SETTINGS
from tests.segmodel.serve.test_equal import VIDEOS, assert_equal, offline, online

VIEW = {"user_id": "u3", "time_ms": 3_000_000, "watch_ms": 90_000}


@pytest.fixture(scope="module")
def runs(home: Path, base_log: Interactions, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Of a log in which views from a search are watched to the end, and others left at once."""
    folder = tmp_path_factory.mktemp("context")
    search = np.random.default_rng(1).random(len(base_log)) < 0.5
    pd.DataFrame(
        {
            "user_id": base_log.user_ids[base_log.user],
            "video_id": base_log.video_ids[base_log.video],
            "time_ms": base_log.time_ms,
            "duration_ms": base_log.duration_ms,
            "watch_ms": np.where(search, base_log.duration_ms, 100),
            "tab": np.where(search, "search", "feed"),
        }
    ).to_csv(folder / "log.csv", index=False)
    shared = {"interactions": [str(folder / "log.csv")], "context": ["tab"]}
    return {
        model: train(
            prepare(run_config(home / "feats.h5", {"model": model, **shared, **SETTINGS[model]})),
            folder / model,
            latest=False,
        )
        for model in ("hazard", "gbdt-hazard")
    }


def started(run: Run, journal: Path) -> Service:
    return Service(lambda: open_scorer(run.folder, journal), journal)


def completion(answer: dict[str, Any]) -> float:
    return float(np.mean([row["completion"] for row in answer["predictions"]]))


@pytest.mark.parametrize("model", ["hazard", "gbdt-hazard"])
def test_answers_equal_the_command_with_the_context_of_question_and_reports(
    model: str, runs: dict[str, Run], journal: Path, tmp_path: Path
) -> None:
    service = started(runs[model], journal)
    with TestClient(create_app(service)) as client:
        for i, tab in enumerate(["search", "feed", None]):
            event = {**VIEW, "video_id": f"v{i}", "time_ms": 3_000_000 + i, "context": tab and {"tab": tab}}
            assert client.post("/v1/events", json=event).status_code == 201
        answers = {}
        for tab in ("search", "feed", "never seen", None):
            context = {} if tab is None else {"context": {"tab": tab}}
            answers[tab] = online(client, user_id="u3", video_ids=VIDEOS, **context)
            pairs = pd.DataFrame({"user_id": "u3", "video_id": VIDEOS, "time_ms": 3_000_003, "duration_ms": 0})
            pairs.assign(tab=tab).to_csv(tmp_path / "pairs.csv", index=False)
            table = offline(runs[model].folder, tmp_path, "--history", journal, "--pairs", tmp_path / "pairs.csv")
            assert_equal(answers[tab], table)
        assert completion(answers["search"]) > completion(answers["feed"]) + 0.1
        assert answers["never seen"]["predictions"] == answers[None]["predictions"]
    service.close()
    log = read_interactions(journal, context=["tab"])
    codes, names = log.context["tab"]
    assert [names[code] if code >= 0 else None for code in codes] == ["search", "feed", None]


def test_a_history_brings_its_context_along(runs: dict[str, Run], journal: Path) -> None:
    service = started(runs["hazard"], journal)
    with TestClient(create_app(service)) as client:
        found = []
        for tab in ("search", "feed"):
            view = {"video_id": "v1", "time_ms": 500, "watch_ms": 100, "context": {"tab": tab}}
            found.append(online(client, history=[view], video_ids=VIDEOS)["predictions"])
    service.close()
    # To leave at once is a surprise where everybody stays, and none where nobody does.
    assert found[0] != found[1]


def test_what_is_no_context_of_the_log_is_refused_by_name(
    runs: dict[str, Run], journal: Path, start: Callable[..., Service]
) -> None:
    question = {"user_id": "u3", "video_ids": ["v1"], "context": {"page": "2"}}
    history = {"history": [{"video_id": "v1", "time_ms": 5, "watch_ms": 5, "context": {"page": "2"}}]}
    service = started(runs["hazard"], journal)
    for of, there in ((service, "tab"), (start("hazard"), "none")):
        with TestClient(create_app(of), raise_server_exceptions=False) as client:
            for path, body in (
                ("predict-skip", question),
                ("rank", question),
                ("predict-skip", {"video_ids": ["v1"], **history}),
                ("events", {**VIEW, "video_id": "v1", "context": {"page": "2"}}),
            ):
                reply = client.post(f"/v1/{path}", json=body)
                assert reply.status_code == 422, reply.text
                assert reply.json()["error"] == f"'page' is no context column of the run's log, which has: {there}"
            for wrong in ({"tab": 1}, {"tab": ""}, ["tab"], {"tab": None}):
                assert client.post("/v1/predict-skip", json={**question, "context": wrong}).status_code == 422
    service.close()
    assert len(SqliteJournal(journal).read()[0]) == 0


def test_a_journal_from_before_context_gets_the_column_and_keeps_its_views(
    runs: dict[str, Run], journal: Path, run_of: Callable[[str], Path]
) -> None:
    old = SqliteJournal(journal)
    old.append(WatchedView("u3", "v1", 3_000_000, 0, 5))
    # A run without context is replaced by one with it while the server runs.
    folders = iter([run_of("hazard"), runs["hazard"].folder])
    service = Service(lambda: open_scorer(next(folders), journal), journal)
    service.reload()
    with TestClient(create_app(service)) as client:
        event = {**VIEW, "video_id": "v2", "context": {"tab": "feed"}}
        assert client.post("/v1/events", json=event).status_code == 201
    service.close()
    assert old.append(WatchedView("u3", "v3", 3_000_002, 0, 5))
    with sqlite3.connect(journal) as file:
        rows = file.execute("SELECT video_id, tab FROM views ORDER BY number").fetchall()
    assert rows == [("v1", None), ("v2", "feed"), ("v3", None)]


@pytest.mark.parametrize("names", [["number"], ["User_Id"], ["tab", "TAB"], ["t\nb"]])
def test_a_column_that_a_journal_cannot_have_is_named(journal: Path, names: list[str]) -> None:
    with pytest.raises(ValueError, match="a journal cannot hold the context column"):
        SqliteJournal(journal, names)
    assert not journal.exists()


def test_names_of_columns_are_no_commands(journal: Path) -> None:
    name = 'a" TEXT); DROP TABLE views; --'
    book = SqliteJournal(journal, [name])
    assert book.append(WatchedView("u", "v", 1, 0, 5, {name: "x"}))
    log, _ = SqliteJournal(journal, [name]).read()
    assert log.context[name].names.tolist() == ["x"]


# -- the library, asked with tables ------------------------------------------------------------------------------------


def test_tables_and_files_keep_their_context_wherever_the_library_takes_a_log(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    run = runs["hazard"]
    views = pd.DataFrame(
        {"user_id": "u3", "video_id": VIDEOS, "time_ms": range(3_000_000, 3_000_006), "duration_ms": 0, "watch_ms": 100}
    ).assign(tab=["search", "feed"] * 3)
    views.to_csv(tmp_path / "views.csv", index=False)
    pairs = views.assign(time_ms=4_000_000).drop(columns="watch_ms")

    def survival(history: Any, context: bool = True) -> np.ndarray:
        model = segmodel.load(run, history=history)
        return model.predict(pairs=pairs if context else pairs.drop(columns="tab")).survival

    np.testing.assert_array_equal(survival(views), survival(tmp_path / "views.csv"))
    assert not np.allclose(survival(views), survival(views.drop(columns="tab")))
    assert not np.allclose(survival(views), survival(views, context=False))

    def nll(interactions: Any) -> list[float]:
        table = segmodel.compare([run], interactions=interactions).to_frame()
        return [float(v) for v in table[table.metric == "nll"]["mean"]]

    with_tab = nll(views)
    assert with_tab == nll(tmp_path / "views.csv")
    assert with_tab != nll(views.drop(columns="tab"))
