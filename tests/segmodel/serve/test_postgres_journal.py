"""The journal of several hosts, on a PostgreSQL server of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from segmodel.serve.journal import WatchedView, open_journal
from tests.segmodel.serve.running import Running
from tests.segmodel.serve.test_equal import VIDEOS, assert_equal, offline

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


class Postgres:
    """A database server on loopback, with a folder of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        # It refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._programs, self._folder = programs, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-U", "tester", "-A", "trust")
        self.start()
        self.address = f"postgresql://tester:secret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder}"
        self._run("pg_ctl", "-w", "-t", "120", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *options: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *options]
        done = subprocess.run(
            command, user=self._user, cwd=self._folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, (program, options)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="pip install 'segfeat[postgres]'")
    places = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if found := shutil.which("initdb"):
        places.append(Path(found).parent)
    if not places:
        pytest.skip("no PostgreSQL server (initdb) on this machine")
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(places[-1], Path(folder))
        yield server
        server.stop()


def test_the_first_of_duplicates_is_kept_and_connections_see_each_other(postgres: Postgres) -> None:
    first, second = open_journal(postgres.address), open_journal(postgres.address)
    seen = first.read()[1]
    assert first.append(WatchedView("u ü", "v", 10, 0, 5))
    assert not second.append(WatchedView("u ü", "v", 10, 0, 999))
    assert second.append(WatchedView("u ü", "w", 2**53 - 1, 7000, 6))
    log, last = first.read(seen)
    assert log.user_ids.tolist() == ["u ü"]
    assert log.video_ids[log.video].tolist() == ["v", "w"]
    assert (log.time_ms.tolist(), log.duration_ms.tolist(), log.watch_ms.tolist()) == (
        [10, 2**53 - 1], [0, 7000], [5, 6],
    )  # fmt: skip
    assert first.read(last)[1] == last
    first.close()
    second.close()


def test_context_columns_are_added_to_a_table_of_before(postgres: Postgres) -> None:
    before, name = open_journal(postgres.address), 'ta"b'
    seen = before.read()[1]
    before.append(WatchedView("c", "v", 1, 0, 5))
    books = [open_journal(postgres.address, [name]) for _ in range(2)]
    assert books[0].append(WatchedView("c", "v", 2, 0, 5, {name: "feed"}))
    assert before.append(WatchedView("c", "v", 3, 0, 5))
    log, _ = books[1].read(seen)
    codes, names = log.context[name]
    assert (codes.tolist(), names.tolist()) == ([-1, 0, -1], ["feed"])
    assert before.read(seen)[0].context == {}
    for book in (before, *books):
        book.close()


def test_a_reader_misses_nothing_of_many_writers(postgres: Postgres) -> None:
    def write(number: int) -> None:
        book = open_journal(postgres.address)
        for i in range(100):
            book.append(WatchedView(f"writer {number}", "v", i, 0, 1))
        book.close()

    reader, taken = open_journal(postgres.address), list[tuple[str, int]]()
    seen = reader.read()[1]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    writing = True
    while writing:
        writing = any(writer.is_alive() for writer in writers)
        log, seen = reader.read(seen)
        taken += zip(log.user_ids[log.user].tolist(), log.time_ms.tolist(), strict=True)
    reader.close()
    assert sorted(taken) == sorted((f"writer {number}", i) for number in range(4) for i in range(100))


def test_a_server_that_came_back_is_found_again_and_one_that_is_gone_is_an_error(postgres: Postgres) -> None:
    book = open_journal(postgres.address)
    book.append(WatchedView("before", "v", 1, 0, 1))
    postgres.stop()
    with pytest.raises(OSError, match=rf"postgresql://127\.0\.0\.1:{postgres.port}/postgres"):
        book.append(WatchedView("meanwhile", "v", 1, 0, 1))
    postgres.start()
    assert not book.append(WatchedView("before", "v", 1, 0, 1))
    assert book.append(WatchedView("after", "v", 1, 0, 1))
    book.close()


def test_what_cannot_be_reached_is_refused_without_the_password(postgres: Postgres) -> None:
    with pytest.raises(ValueError, match=r"cannot be used as a journal.*127\.0\.0\.1:1/") as refused:
        open_journal("postgresql://tester:secret@127.0.0.1:1/postgres")
    assert "secret" not in str(refused.value)


def test_two_replicas_know_each_others_events(
    postgres: Postgres, run_of: Callable[[str], Path], tmp_path: Path
) -> None:
    import psycopg

    run = run_of("gbdt-hazard")
    one, other = Running(run, postgres.address), Running(run, postgres.address)
    try:
        for i in range(3):
            event = {"user_id": "u3", "video_id": f"v{i}", "time_ms": 3_000_000 + i, "watch_ms": 500 + 3000 * i}
            assert one.call("POST", "/v1/events", event)[0] == 201
            asked = {"segments": True, "user_id": "u3", "video_ids": VIDEOS}
            answer = other.call("POST", "/v1/predict-skip", asked)[1]
            assert answer["time_ms"] == event["time_ms"] + 1
    finally:
        one.end()
        other.end()
    columns = ["user_id", "video_id", "time_ms", "duration_ms", "watch_ms"]
    with psycopg.connect(postgres.address) as connection:
        command = f"SELECT {', '.join(columns)} FROM segmodel_views WHERE user_id = 'u3' ORDER BY number"
        rows = connection.execute(command).fetchall()
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "views.csv", index=False)
    videos = [part for v in VIDEOS for part in ("--video", v)]
    assert_equal(answer, offline(run, tmp_path, "--history", tmp_path / "views.csv", "--user", "u3", *videos))
