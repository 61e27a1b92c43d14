"""Runs take each other's place without anybody noticing."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from segmodel.serve import service as service_module
from segmodel.serve.app import create_app
from segmodel.serve.scorer import LiveScorer, Question, open_scorer
from segmodel.serve.service import Service

ASK = {"user_id": "u1", "video_ids": ["v1", "v2"]}


@pytest.fixture
def link(run_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """A link to one run; the other is there as well."""
    for model in ("user-position", "item-position"):
        run_of(model)
    (tmp_path / "latest").symlink_to(run_of("user-position"))
    return tmp_path / "latest"


def point(link: Path, run: Path) -> None:
    link.with_name("new").symlink_to(run)
    os.replace(link.with_name("new"), link)


@pytest.fixture
def service(link: Path, journal: Path) -> Service:
    made = Service(lambda: open_scorer(link, journal), journal)
    yield made
    made.close()


@pytest.mark.parametrize(("seconds", "users"), [(0.0, 1), (600.0, 10)])
def test_the_busiest_users_are_read_before_anybody_asks(
    link: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, users: int
) -> None:
    asked: list[Question] = []
    answer = LiveScorer.answer
    monkeypatch.setattr("segmodel.serve.scorer._READ_USERS_S", seconds)
    monkeypatch.setattr(LiveScorer, "answer", lambda self, question: asked.append(question) or answer(self, question))
    scorer = open_scorer(link, journal)
    assert [q.user_id for q in asked] == scorer.pasts.users(users)
    assert set(asked[0].video_ids) == set(scorer.data.store)
    scorer.close()


def test_a_reload_takes_over_with_all_events_and_drops_no_request(
    service: Service, link: Path, run_of: Callable[[str], Path]
) -> None:
    client = TestClient(create_app(service))
    client.post("/v1/events", json={"user_id": "u1", "video_id": "v1", "time_ms": 5_000_000, "watch_ms": 1})
    answers, stop = [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(client.post("/v1/predict-skip", json=ASK))

    asking = threading.Thread(target=ask)
    asking.start()
    while not answers:
        time.sleep(0.01)
    point(link, run_of("item-position"))
    service.reload()
    time.sleep(0.1)
    stop.set()
    asking.join()
    assert {a.status_code for a in answers} == {200}
    runs = [a.json()["run"] for a in answers]
    assert runs[0] == "user-position"
    assert runs[-1] == "item-position"
    assert runs == sorted(runs, reverse=True)  # never back again
    assert {a.json()["time_ms"] for a in answers} == {5_000_001}
    assert service.reloads == {"ok": 1, "failed": 0}


def test_a_run_that_cannot_be_opened_changes_nothing(
    service: Service, link: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    point(link, tmp_path / "nothing")
    service.reload()
    assert service.reloads == {"ok": 0, "failed": 1}
    assert "no run" in caplog.text
    assert TestClient(create_app(service)).post("/v1/predict-skip", json=ASK).json()["run"] == "user-position"
    assert "segmodel_failed_reloads_total 1" in TestClient(create_app(service)).get("/metrics").text


def test_a_link_is_followed(
    service: Service, link: Path, run_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_LOOK_EVERY_S", 0.02)
    service.follow(link)
    time.sleep(0.1)
    assert service.reloads["ok"] == 0
    point(link, run_of("item-position"))
    for _ in range(500):
        if service.reloads["ok"]:
            break
        time.sleep(0.02)
    assert service.scorer.run.name == "item-position"


def test_a_link_that_moves_back_after_a_reload_by_hand_is_followed(
    service: Service, link: Path, run_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_LOOK_EVERY_S", 0.02)
    point(link, run_of("item-position"))
    service.reload()
    service.follow(link)
    point(link, tmp_path / "nothing")
    time.sleep(0.3)
    assert service.reloads == {"ok": 1, "failed": 1}
    point(link, run_of("user-position"))
    for _ in range(500):
        if service.reloads["ok"] == 2:
            break
        time.sleep(0.02)
    assert service.scorer.run.name == "user-position"


def test_jobs_run_one_after_the_other_in_one_thread(service: Service) -> None:
    seen: list[tuple[str, int]] = []

    def job(scorer: LiveScorer) -> int:
        seen.append((threading.current_thread().name, len(seen)))
        time.sleep(0.001)
        return len(scorer.answer(Question(["v1"], "u1")).video_ids)

    async def ask_many() -> list[int]:
        return await asyncio.gather(*(service.ask(job) for _ in range(50)))

    assert asyncio.run(ask_many()) == [1] * 50
    assert len({name for name, _ in seen}) == 1
    assert [n for _, n in seen] == list(range(50))
