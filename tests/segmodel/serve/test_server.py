"""A real server process: killed, stopped, reloaded, besieged."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from segfeat.log_file import read_interactions
from segfeat_cli.segmodel import segmodel
from segmodel.serve.server import read_keys
from tests.segmodel.serve.running import Running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")

ASK = {"user_id": "u1", "video_ids": ["v1", "v2"]}


@pytest.fixture
def serve(run_of: Callable[[str], Path], journal: Path) -> Iterator[Callable[..., Running]]:
    made = []

    def begin(*options: str, run: Path | None = None) -> Running:
        made.append(Running(run or run_of("user-position"), journal, *options))
        return made[-1]

    yield begin
    for server in made:
        server.end()


def test_every_acknowledged_event_survives_kill_9(serve: Callable[..., Running], journal: Path) -> None:
    server = serve()
    acknowledged: list[tuple[str, int]] = []

    def report(client: int) -> None:
        for i in range(100_000):
            event = {"user_id": f"client {client}", "video_id": "v1", "time_ms": i, "watch_ms": 1000}
            try:
                status, _ = server.call("POST", "/v1/events", event)
            except (OSError, ValueError):
                return
            if status == 201:
                acknowledged.append((f"client {client}", i))

    clients = [threading.Thread(target=report, args=(i,)) for i in range(4)]
    for client in clients:
        client.start()
    while len(acknowledged) < 100:
        time.sleep(0.01)
    server.process.kill()
    for client in clients:
        client.join()
    log = read_interactions(journal)
    kept = set(zip(log.user_ids[log.user].tolist(), log.time_ms.tolist(), strict=True))
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= kept
    assert len(kept) - len(acknowledged) <= len(clients)

    again = serve()
    for user in ("client 0", "client 3"):
        newest = max(time_ms for name, time_ms in kept if name == user)
        assert again.call("POST", "/v1/predict-skip", {**ASK, "user_id": user})[1]["time_ms"] == newest + 1


def test_sigterm_finishes_what_is_in_flight(serve: Callable[..., Running]) -> None:
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        body = json.dumps(ASK).encode()
        head = ["POST /v1/rank HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        slow.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        slow.sendall(body[5:])
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    assert server.process.wait(20) == 0


def test_sighup_and_a_moved_link_reload_the_run(
    serve: Callable[..., Running], run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    link = tmp_path / "latest"
    link.symlink_to(run_of("user-position"))
    server = serve("--reload-latest", run=link)
    assert server.call("GET", "/healthz")[1]["run"] == "user-position"

    def wait_for(run: str) -> None:
        for _ in range(600):
            status, answer = server.call("POST", "/v1/predict-skip", ASK)
            assert status == 200
            if answer["run"] == run:
                return
            time.sleep(0.05)
        raise AssertionError(f"{run} never took over")

    (tmp_path / "new").symlink_to(run_of("item-position"))
    os.replace(tmp_path / "new", link)
    server.process.send_signal(signal.SIGHUP)
    wait_for("item-position")
    (tmp_path / "new").symlink_to(run_of("user-position"))
    os.replace(tmp_path / "new", link)
    wait_for("user-position")
    server.process.terminate()
    assert "took over" in server.process.communicate(timeout=120)[0]


def test_slow_clients_and_200_connections_stall_nobody(serve: Callable[..., Running]) -> None:
    server = serve()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    try:
        for i, connection in enumerate(idle):
            if i % 2:  # half of them have begun a request and never end it
                connection.sendall(b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        for _ in range(20):  # each would wait for as long as the idle ones do, which is for ever
            assert server.call("POST", "/v1/predict-skip", ASK)[0] == 200
    finally:
        for connection in idle:
            connection.close()


def test_key_files_are_read_or_refused_with_the_reason(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first\n\n second \n")
    assert read_keys(keys) == ["first", "second"]
    for text, reason in (("\n", "no key"), ("good\nb\u00e4d\n", "key 2 has characters"), ("two words\n", "key 1")):
        keys.write_text(text)
        with pytest.raises(ValueError, match=reason):
            read_keys(keys)


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "segmodel.serve.server", raising=False)
    monkeypatch.delattr("segmodel.serve.server", raising=False)
    result = CliRunner().invoke(segmodel, ["serve"])
    assert result.exit_code == 1
    assert "pip install 'segfeat[serve]'" in result.output


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(segmodel, ["serve", "--run", str(tmp_path / "none")])
    assert isinstance(result.exception, ValueError)
    assert "no run" in str(result.exception)
