"""What the routes answer: results, reasons, keys, metrics and pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from segmodel.serve import service as service_module
from segmodel.serve.app import create_app
from segmodel.serve.request_limits import MAX_BYTES, WholeBody
from segmodel.serve.service import Service

ASK = {"user_id": "u1", "video_ids": ["v1", "v2", "v3"]}
EVENT = {"user_id": "u1", "video_id": "v1", "time_ms": 5_000_000, "watch_ms": 1500}


def test_a_prediction_adds_up_and_keeps_the_order_asked_for(client: TestClient) -> None:
    found = client.post(
        "/v1/predict-skip", json={**ASK, "video_ids": ["v3", "v1", "v3", "v2"], "segments": True}
    ).json()
    assert [p["video_id"] for p in found["predictions"]] == ["v3", "v1", "v2"]
    assert found["run"] == "user-position"
    for p in found["predictions"]:
        figures = p["segments"]
        assert sum(figures["skip_probability"]) + p["completion"] == pytest.approx(1, abs=1e-6)
        assert figures["survival"][-1] == pytest.approx(p["completion"], abs=1e-6)
        assert figures["end_s"][-1] == pytest.approx(p["duration_s"])
        assert p["skip"]["probability"] == max(figures["skip_probability"])
        assert p["skip"]["start_s"] == figures["start_s"][p["skip"]["segment"]]
        assert p["watch_ratio"] == pytest.approx(p["expected_watch_s"] / p["duration_s"], abs=1e-6)
        assert 0 < p["expected_watch_s"] <= p["duration_s"]


def test_figures_per_segment_come_only_on_request(client: TestClient) -> None:
    for p in client.post("/v1/predict-skip", json=ASK).json()["predictions"]:
        assert "segments" not in p


def test_the_default_moment_is_just_after_the_last_known_view(client: TestClient) -> None:
    before = client.post("/v1/predict-skip", json=ASK).json()["time_ms"]
    client.post("/v1/events", json=EVENT)
    assert before < 5_000_000
    assert client.post("/v1/predict-skip", json=ASK).json()["time_ms"] == 5_000_001
    assert client.post("/v1/predict-skip", json={**ASK, "time_ms": 77}).json()["time_ms"] == 77
    history = [{"video_id": "v1", "time_ms": 41, "watch_ms": 1}]
    assert client.post("/v1/predict-skip", json={"history": history, "video_ids": ["v1"]}).json()["time_ms"] == 42
    assert client.post("/v1/predict-skip", json={"history": [], "video_ids": ["v1"]}).json()["time_ms"] == 0


@pytest.mark.parametrize("by", ["watch_ratio", "expected_watch_s", "completion"])
def test_ranking_sorts_by_what_was_asked_for(client: TestClient, by: str) -> None:
    ids = [f"v{i}" for i in range(12)]
    found = client.post("/v1/rank", json={"user_id": "u2", "video_ids": ids, "by": by}).json()["predictions"]
    assert sorted(p["video_id"] for p in found) == sorted(ids)
    values = [p[by] for p in found]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    top = client.post("/v1/rank", json={"user_id": "u2", "video_ids": ids, "by": by, "top": 3}).json()["predictions"]
    assert top == found[:3]


def test_the_default_ranking_is_by_watch_ratio(client: TestClient) -> None:
    asked = {"user_id": "u2", "video_ids": [f"v{i}" for i in range(12)]}
    assert (
        client.post("/v1/rank", json=asked).json()
        == client.post("/v1/rank", json={**asked, "by": "watch_ratio"}).json()
    )


def test_videos_that_the_run_cannot_take_are_named_with_the_reason(client: TestClient) -> None:
    asked = {**ASK, "video_ids": ["long", "v1"], "durations_ms": {"long": 200_000}}
    found = client.post("/v1/predict-skip", json=asked).json()
    assert [p["video_id"] for p in found["predictions"]] == ["v1"]
    assert found["skipped"] == [{"video_id": "long", "reason": "duration of 200 s or more"}]
    found = client.post("/v1/predict-skip", json={**asked, "video_ids": ["long"]}).json()
    assert (found["predictions"], len(found["skipped"])) == ([], 1)


@pytest.mark.parametrize("route", ["predict-skip", "rank"])
def test_who_and_what_is_unknown_is_told(client: TestClient, route: str) -> None:
    asked = {"user_id": "nobody", "video_ids": ["nope", "v1", "other"], "durations_ms": {"other": 9_000}}
    reply = client.post(f"/v1/{route}", json=asked)
    assert reply.status_code == 200
    found = reply.json()
    assert {p["video_id"]: p["video_known"] for p in found["predictions"]} == {"v1": True, "other": False}
    assert found["skipped"] == [{"video_id": "nope", "reason": "not in the store, and no duration given"}]
    assert found["user_known"] is False
    assert client.post(f"/v1/{route}", json=ASK).json()["user_known"] is True


def test_what_the_store_can_show_of_a_video(client: TestClient) -> None:
    found = client.get("/v1/video", params={"video_id": "v1"}).json()
    assert found == {"video_id": "v1", "title": "", "thumbnails": []}
    reply = client.get("/v1/video", params={"video_id": "nope"})
    assert (reply.status_code, reply.json()) == (422, {"error": "video 'nope' is not in the store"})


def test_an_event_is_stored_once(client: TestClient) -> None:
    replies = [client.post("/v1/events", json=EVENT) for _ in range(2)]
    assert [(r.status_code, r.json()) for r in replies] == [(201, {"stored": True}), (200, {"stored": False})]


def test_times_in_another_unit_are_refused_where_the_log_has_dates(start: Callable[..., Service]) -> None:
    service = start()
    client = TestClient(create_app(service))
    now_s = 1_700_000_000
    history = [{"video_id": "v1", "time_ms": now_s, "watch_ms": 900}]
    wrong = [
        ("events", {**EVENT, "time_ms": now_s}),
        ("predict-skip", {**ASK, "time_ms": now_s}),
        ("rank", {"history": history, "video_ids": ["v1"]}),
    ]
    # This log counts from its own beginning: its clock may show anything.
    assert not service.scorer.data.dated
    assert {client.post(f"/v1/{route}", json=body).status_code for route, body in wrong} <= {200, 201}
    service.scorer.data.__dict__["dated"] = True
    for route, body in wrong:
        reply = client.post(f"/v1/{route}", json=body)
        assert (reply.status_code, reply.json()["error"]) == (
            422,
            "time_ms is in seconds since 1970; needed are milliseconds",
        )
    assert client.post("/v1/predict-skip", json={**ASK, "time_ms": now_s * 1000}).status_code == 200


HISTORY = [{"video_id": "v1", "time_ms": 1, "watch_ms": 1}]
WRONG: dict[str, tuple[str, Any, int, str]] = {
    "unknown past video": (
        "rank", {"history": [{**HISTORY[0], "video_id": "x"}], "video_ids": ["v1"]}, 422, "'x' is not in the store"
    ),
    "unknown event video": ("events", {**EVENT, "video_id": "<b>"}, 422, "'<b>' is not in the store"),
    "too many": ("predict-skip", {**ASK, "video_ids": ["v1"] * 501}, 422, "video_ids: List should have at most 500"),
    "none": ("predict-skip", {**ASK, "video_ids": []}, 422, "video_ids: List should have at least 1"),
    "long history": ("rank", {"history": HISTORY * 1001, "video_ids": ["v1"]}, 422, "history: List should have at"),
    "number for id": ("predict-skip", {**ASK, "user_id": 17}, 422, "user_id: Input should be a valid string"),
    "text for number": ("events", {**EVENT, "watch_ms": "3"}, 422, "watch_ms: Input should be a valid integer"),
    "fraction": ("events", {**EVENT, "time_ms": 1.5}, 422, "time_ms: Input should be a valid integer"),
    "yes for true": ("predict-skip", {**ASK, "segments": "yes"}, 422, "segments: Input should be a valid boolean"),
    "nothing watched": ("events", {**EVENT, "watch_ms": 0}, 422, "watch_ms: Input should be greater than"),
    "before time": ("events", {**EVENT, "time_ms": -1}, 422, "time_ms"),
    "after time": ("events", {**EVENT, "time_ms": 2**53}, 422, "time_ms"),
    "blank id": ("predict-skip", {**ASK, "user_id": " "}, 422, "user_id"),
    "control character": ("predict-skip", {**ASK, "user_id": "a\0b"}, 422, "user_id"),
    "unknown field": ("predict-skip", {**ASK, "vidoes": []}, 422, "vidoes: Extra inputs are not permitted"),
    "both pasts": ("predict-skip", {**ASK, "history": []}, 422, "either user_id or history"),
    "no past": ("predict-skip", {"video_ids": ["v1"]}, 422, "either user_id or history"),
    "unknown order": ("rank", {**ASK, "by": "luck"}, 422, "by: Input should be 'watch_ratio'"),
    "list": ("predict-skip", [ASK], 422, "Input should be"),
    "null": ("predict-skip", None, 422, "body"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_hears_why(client: TestClient, case: str) -> None:
    route, body, status, reason = WRONG[case]
    reply = client.post(f"/v1/{route}", json=body)
    assert (reply.status_code, list(reply.json())) == (status, ["error"])
    assert reason in reply.json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"user_id": "u1"', 400),
        (b"", 422),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"user_id": "u1", "video_ids": ["v1"], "time_ms": ' + b"9" * 5000 + b"}", 400),
        (b'{"user_id": "u1", "video_ids": ["v1"], "time_ms": NaN}', 422),
        (b'{"user_id": "u1", "video_ids": ["v1"], "time_ms": 1e999}', 422),
        (rb'{"user_id": "\ud800", "video_ids": ["v1"]}', 422),
        (rb'{"user_id": "u1", "video_ids": ["v1"], "\udfff": 1}', 422),
        (rb'{"user_id": "u1", "video_ids": ["v1"], "durations_ms": {"\udfff": "x"}}', 422),
    ],
)
def test_bytes_that_are_no_request_hear_why(client: TestClient, content: bytes, status: int) -> None:
    reply = client.post("/v1/predict-skip", content=content, headers={"Content-Type": "application/json"})
    assert (reply.status_code, list(reply.json())) == (status, ["error"])
    assert "Traceback" not in reply.text


def test_a_body_too_long_is_refused_even_in_chunks_without_a_length(client: TestClient) -> None:
    fits = b'{"user_id": "u1", "video_ids": ["v1"]' + b" " * (MAX_BYTES - 38) + b"}"
    headers = {"Content-Type": "application/json"}
    assert client.post("/v1/predict-skip", content=fits, headers=headers).status_code == 200
    for content in (fits + b" ", iter([fits, b" "]), b" " * 20 * MAX_BYTES):
        reply = client.post("/v1/predict-skip", content=content, headers=headers)
        assert (reply.status_code, reply.json()["error"]) == (413, "the request has more than 1,000,000 bytes")


def test_a_body_that_does_not_come_to_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segmodel.serve.request_limits.MAX_WAIT_S", 0.05)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def never(*arguments: object) -> None:
        raise AssertionError("an unfinished request was handed on")

    asyncio.run(WholeBody(never)({"type": "http"}, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_unknown_routes_and_methods_are_named(client: TestClient) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/v1/rank", 405), ("GET", "/pages/x.py", 404)):
        reply = client.request(method, path)
        assert (reply.status_code, list(reply.json())) == (status, ["error"])


def test_an_error_inside_shows_no_traceback(start: Callable[..., Service]) -> None:
    service = start()
    client = TestClient(create_app(service), raise_server_exceptions=False)
    service.scorer.answer = lambda question: 1 / 0  # type: ignore[assignment]
    reply = client.post("/v1/predict-skip", json=ASK)
    assert (reply.status_code, "ZeroDivision" in reply.text) == (500, False)
    assert "log has the details" in reply.json()["error"]


def test_a_journal_that_cannot_be_written_is_told(start: Callable[..., Service]) -> None:
    service = start()
    service._journal._file.execute("PRAGMA query_only = 1")
    reply = TestClient(create_app(service)).post("/v1/events", json=EVENT)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert "could not be written" in reply.json()["error"]


def test_requests_beyond_the_queue_are_turned_away(
    start: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MAX_WAITING", 0)
    reply = TestClient(create_app(start())).post("/v1/predict-skip", json=ASK)
    assert (reply.status_code, "too many requests" in reply.json()["error"]) == (503, True)


def test_keys_guard_everything_but_health_and_pages(start: Callable[..., Service]) -> None:
    client = TestClient(create_app(start(), ["first", "second"]))
    for path in ("/healthz", "/", "/docs", "/openapi.json", "/pages/style.css"):
        assert client.get(path).status_code == 200
    for headers in (
        {},
        {"Authorization": "Bearer third"},
        {"Authorization": "Basic first"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer f\xfcr".encode("latin-1")},
    ):
        for path in ("/metrics", "/v1/catalog"):
            assert client.get(path, headers=headers).status_code == 401
        assert client.post("/v1/predict-skip", json=ASK, headers=headers).status_code == 401
        assert client.post("/v1/events", json=EVENT, headers=headers).status_code == 401
    for key in ("first", "second"):
        assert client.post("/v1/predict-skip", json=ASK, headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_metrics_count_what_happened(client: TestClient) -> None:
    client.post("/v1/predict-skip", json=ASK)
    client.post("/v1/predict-skip", json={})
    client.post("/v1/events", json=EVENT)
    client.post("/v1/predict-skip", json=ASK)
    client.get('/no"such{path}')
    reply = client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in reply.text.splitlines() if not line.startswith("#"))
    assert values['segmodel_requests_total{route="/v1/predict-skip",status="200"}'] == "2"
    assert values['segmodel_requests_total{route="/v1/predict-skip",status="422"}'] == "1"
    assert values['segmodel_requests_total{route="other",status="404"}'] == "1"
    assert values['segmodel_request_seconds_bucket{route="/v1/predict-skip",le="+Inf"}'] == "3"
    assert values['segmodel_request_seconds_count{route="/v1/predict-skip"}'] == "3"
    assert float(values['segmodel_request_seconds_sum{route="/v1/predict-skip"}']) > 0
    assert values['segmodel_run_info{run="user-position",model="user-position"}'] == "1"
    assert values["segmodel_journal_last_view"] == "1"
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
    assert all(sample.fullmatch(line) for line in reply.text.splitlines() if not line.startswith("#"))


def test_health_and_catalog(client: TestClient) -> None:
    assert client.get("/healthz").json() == {
        "status": "ok", "run": "user-position", "model": "user-position", "users": 10, "videos": 25
    }  # fmt: skip
    known = client.get("/v1/catalog?limit=4").json()
    assert (len(known["users"]), len(known["videos"])) == (4, 4)
    client.post("/v1/rank", json={"user_id": known["users"][0], "video_ids": known["videos"]}).raise_for_status()
    client.post("/v1/events", json={**EVENT, "user_id": "new"})
    client.post("/v1/predict-skip", json=ASK)
    assert client.get("/healthz").json()["users"] == 11


def test_pages_ask_nobody_but_the_server_and_build_no_markup_from_text(client: TestClient) -> None:
    texts = [client.get(path) for path in ("/", "/docs")]
    assert all("default-src 'none'" in t.headers["content-security-policy"] for t in texts)
    names = {n for t in texts for n in re.findall(r'(?:src|href)="(pages/[^"]+)"', t.text)}
    assert names == {"pages/report.css", "pages/style.css", "pages/try.js", "pages/docs.js"}
    texts += [client.get(f"/{name}") for name in names]
    for t in texts:
        assert t.status_code == 200
        assert not re.search(r"(https?:)?//[a-z]", t.text)
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|<script>|\son[a-z]+=", t.text
        )
