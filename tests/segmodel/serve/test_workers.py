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

from segfeat.interactions import read_interactions
from segmodel.serve.journal import shown
from tests.segmodel.serve.running import Connected, Running, until
from tests.segmodel.serve.test_equal import VIDEOS, assert_equal, offline

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")

ASK = {"user_id": "u1", "video_ids": ["v1", "v2"]}


@pytest.fixture
def serve(run_of: Callable[[str], Path], journal: Path) -> Iterator[Callable[..., Running]]:
    made = []

    def begin(*options: str, run: Path | None = None) -> Running:
        made.append(Running(run or run_of("hazard"), journal, "--workers=2", *options))
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
    one, other = connected(serve()).values()
    asked = [part for v in VIDEOS for part in ("--video", v)]
    for i, user in enumerate(["u3", "new", "u3", "new", "u3"]):
        event = {"user_id": user, "video_id": f"v{i}", "time_ms": 3_000_000 + 1000 * i, "watch_ms": 200 + 5000 * i}
        assert one.call("POST", "/v1/events", event)[0] == 201
        # At once, in the other process: the question itself reads what the journal has got.
        question = {"segments": True, "user_id": user, "video_ids": VIDEOS}
        status, answer = other.call("POST", "/v1/predict-skip", question)
        assert (status, answer["time_ms"]) == (200, event["time_ms"] + 1)
        if i >= 3:
            assert_equal(answer, offline(run_of("hazard"), tmp_path, "--history", journal, "--user", user, *asked))
    assert other.call("POST", "/v1/events", event) == (200, {"stored": False})


def test_every_sample_names_its_worker(serve: Callable[..., Running]) -> None:
    workers = connected(serve())
    for number, connection in workers.items():
        samples = [line for line in connection.text("/metrics").splitlines() if not line.startswith("#")]
        assert len(samples) > 5
        assert all(f'worker="{number}"' in line for line in samples)


def test_kill_9_of_a_worker_loses_no_acknowledged_event_and_it_is_replaced(
    serve: Callable[..., Running], journal: Path
) -> None:
    server = serve()
    workers = connected(server)
    killed = workers[1].pid
    acknowledged = []
    for i in range(60):
        if i == 30:
            os.kill(killed, signal.SIGKILL)
        for connection in workers.values():
            event = {"user_id": f"from {connection.worker}", "video_id": "v1", "time_ms": i, "watch_ms": 1000}
            try:
                status, _ = connection.call("POST", "/v1/events", event)
            except (OSError, HTTPException):
                assert connection.worker == 1
                continue
            assert status == 201
            acknowledged.append((event["user_id"], i))
    log = read_interactions(journal)
    kept = set(zip(log.user_ids[log.user].tolist(), log.time_ms.tolist(), strict=True))
    assert set(acknowledged) <= kept
    assert ("from 2", 59) in kept
    assert ("from 1", 29) in kept

    again = connected(server)[1]
    assert again.pid != killed
    answer = again.call("POST", "/v1/predict-skip", {**ASK, "user_id": "from 2"})[1]
    assert answer["time_ms"] == 60


def test_sighup_and_a_moved_link_reload_every_worker(
    serve: Callable[..., Running], run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    def point(run: str) -> None:
        (tmp_path / "new").symlink_to(run_of(run))
        os.replace(tmp_path / "new", tmp_path / "latest")

    def all_have(run: str) -> bool:
        return all(c.call("POST", "/v1/predict-skip", ASK)[1]["run"] == run for c in workers.values())

    point("user-position")
    server = serve(run=tmp_path / "latest")
    workers = connected(server)
    assert all_have("user-position")
    point("item-position")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: all_have("item-position"))
    server.end()

    server = serve("--reload-latest", run=tmp_path / "latest")
    workers = connected(server)
    point("user-position")
    until(lambda: all_have("user-position"))


def test_sigterm_ends_every_worker(serve: Callable[..., Running]) -> None:
    server = serve()
    pids = [connection.pid for connection in connected(server).values()]
    server.process.terminate()
    assert server.process.wait(120) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_end_after_a_parent_that_was_killed(serve: Callable[..., Running]) -> None:
    server = serve()
    pids = [connection.pid for connection in connected(server).values()]
    server.process.kill()
    server.process.wait(120)
    until(lambda: not any(Path(f"/proc/{pid}/environ").exists() and _runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("option", ["--run=nowhere", "--store=nowhere.h5", "--host=203.0.113.1"])
def test_what_cannot_start_ends_with_one_line_that_says_why(
    option: str, run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-c",
        "from segfeat_cli.segmodel import main; main()",
        "serve",
        "--workers=2",
        "--port=0",
    ]
    run = [] if "--run" in option else [f"--run={run_of('user-position')}"]
    done = subprocess.run(
        [*command, *run, option, f"--journal={tmp_path / 'j.db'}"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*(nowhere|203\.0\.113\.1).*\n", done.stderr)


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@db:5432/views?sslmode=require") == "postgresql://db:5432/views"
