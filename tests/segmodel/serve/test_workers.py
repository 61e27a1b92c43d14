"""Several server processes on one socket and one journal: killed, replaced, reloaded, asked in turn."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from click.testing import CliRunner

from segfeat.log_file import read_interactions
from segfeat_cli.segmodel import segmodel
from segmodel.serve.journal import shown
from tests.segmodel.serve.running import Connected, Running, until
from tests.segmodel.serve.test_equal import VIDEOS, assert_equal, offline

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks up processes in /proc"),
    pytest.mark.timeout(900),
]

ASK = {"user_id": "u1", "video_ids": ["v1", "v2"]}


@pytest.fixture
def serve(run_of: Callable[[str], Path], journal: Path) -> Iterator[Callable[..., Running]]:
    made = []

    def begin(run: Path, *options: str) -> Running:
        made.append(Running(run, journal, "--workers=2", *options))
        return made[-1]

    yield begin
    for server in made:
        server.end()


def connected(server: Running, count: int = 2) -> dict[int, Connected]:
    """A kept connection to each worker: new ones are made until every worker has accepted one."""
    found: dict[int, Connected] = {}

    def another() -> bool:
        try:
            made = Connected(server.port)
        except (OSError, HTTPException):  # to a worker that was killed meanwhile
            return False
        found.setdefault(made.worker, made)
        return len(found) == count

    until(another)
    return found


def test_answers_of_one_worker_know_what_another_was_told(
    serve: Callable[..., Running], run_of: Callable[[str], Path], journal: Path, tmp_path: Path
) -> None:
    server = serve(run_of("gbdt-hazard"))
    workers = connected(server)
    for number, connection in workers.items():
        samples = [line for line in connection.text("/metrics").splitlines() if not line.startswith("#")]
        assert len(samples) > 5
        assert all(f'worker="{number}"' in line for line in samples)

    one, other = workers.values()
    asked = [part for v in VIDEOS for part in ("--video", v)]
    for i, user in enumerate(["u3", "new", "u3", "new", "u3"]):
        event = {"user_id": user, "video_id": f"v{i}", "time_ms": 3_000_000 + 1000 * i, "watch_ms": 200 + 5000 * i}
        assert one.call("POST", "/v1/events", event)[0] == 201
        # At once, in the other process: the question itself reads what the journal has got.
        question = {"segments": True, "user_id": user, "video_ids": VIDEOS}
        status, answer = other.call("POST", "/v1/predict-skip", question)
        assert (status, answer["time_ms"]) == (200, event["time_ms"] + 1)
        if i >= 3:
            table = offline(run_of("gbdt-hazard"), tmp_path, "--history", journal, "--user", user, *asked)
            assert_equal(answer, table)
    assert other.call("POST", "/v1/events", event) == (200, {"stored": False})

    server.process.kill()  # the parent, which cannot tell its workers any more
    until(lambda: not any(alive(connection.pid) for connection in workers.values()))


@pytest.mark.slow
def test_workers_are_replaced_reloaded_and_stopped_and_lose_nothing(
    serve: Callable[..., Running], run_of: Callable[[str], Path], journal: Path, tmp_path: Path
) -> None:
    def point(run: str) -> None:
        (tmp_path / "new").symlink_to(run_of(run))
        os.replace(tmp_path / "new", tmp_path / "latest")

    def all_have(run: str) -> bool:
        return all(c.call("POST", "/v1/predict-skip", ASK)[1]["run"] == run for c in workers.values())

    point("user-position")
    server = serve(tmp_path / "latest")
    workers = connected(server)
    killed, acknowledged = workers[1].pid, []
    for i in range(60):
        if i == 30:
            os.kill(killed, signal.SIGKILL)
        for number, connection in workers.items():
            event = {"user_id": f"from {number}", "video_id": "v1", "time_ms": i, "watch_ms": 1000}
            try:  # the client connects again, to whoever accepts
                status, _ = connection.call("POST", "/v1/events", event)
            except (OSError, HTTPException):
                assert number == 1
                continue
            assert status == 201
            acknowledged.append((event["user_id"], i))
    log = read_interactions(journal)
    kept = set(zip(log.user_ids[log.user].tolist(), log.time_ms.tolist(), strict=True))
    assert set(acknowledged) <= kept
    assert {("from 1", 29), ("from 2", 59)} <= set(acknowledged)

    workers = connected(server)
    assert workers[1].pid != killed
    assert workers[1].call("POST", "/v1/predict-skip", {**ASK, "user_id": "from 2"})[1]["time_ms"] == 60

    assert all_have("user-position")
    point("item-position")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: all_have("item-position"))
    server.process.terminate()
    assert server.process.wait(120) == 0
    assert not any(alive(connection.pid) for connection in workers.values())


@pytest.mark.slow
def test_every_worker_follows_a_moved_link(
    serve: Callable[..., Running], run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    link = tmp_path / "latest"
    link.symlink_to(run_of("user-position"))
    workers = connected(serve(link, "--reload-latest"))
    (tmp_path / "new").symlink_to(run_of("item-position"))
    os.replace(tmp_path / "new", link)
    for connection in workers.values():
        until(lambda c=connection: c.call("POST", "/v1/predict-skip", ASK)[1]["run"] == "item-position")


def test_what_no_worker_can_open_ends_all_with_one_line_that_says_why(
    run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-c",
        "from segfeat_cli.segmodel import main; main()",
        "serve",
        "--workers=2",
        "--port=0",
    ]
    done = subprocess.run(
        [*command, f"--run={run_of('user-position')}", "--store=nowhere.h5", f"--journal={tmp_path / 'j.db'}"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*nowhere.*\n", done.stderr)


@pytest.mark.parametrize("option", ["--run=nowhere", "--journal=nowhere/j.db", "--host=203.0.113.1"])
def test_what_the_parent_sees_starts_no_worker(option: str, run_of: Callable[[str], Path], tmp_path: Path) -> None:
    options = [f"--run={run_of('user-position')}", f"--journal={tmp_path / 'j.db'}", option]
    result = CliRunner().invoke(segmodel, ["serve", "--workers=2", "--port=0", *options])
    assert isinstance(result.exception, ValueError | OSError)
    assert re.search("nowhere|203", str(result.exception))


def alive(pid: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@db:5432/views?sslmode=require") == "postgresql://db:5432/views"
