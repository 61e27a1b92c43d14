"""Videos behind a web server on loopback: a page of links, a server that is busy at first, objects that are gone."""

from __future__ import annotations

import http.server
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from segfeat.extraction import ExtractSummary
from segfeat.pipeline.objects import FetchFailed, fetch, find_objects
from segfeat.store.reader import FeatureStore

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

pytestmark = pytest.mark.extras

Run = Callable[..., ExtractSummary]

ASKED: Counter[str] = Counter()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; files whose names say so are busy for two times, or for ever."""

    def do_GET(self) -> None:
        ASKED[self.path] += 1
        if "busy" in self.path and (ASKED[self.path] <= 2 or "always" in self.path):
            self.send_response(429 if ASKED[self.path] == 1 else 503)
            self.send_header("Retry-After", "3")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(copies: Callable[..., Path]) -> Iterator[str]:
    """The address of a folder of videos."""
    folder = copies("a.mp4", "busy.mp4", "busy always.mp4", "deep/z.mp4")
    (folder / "notes.txt").write_text("no video")
    ASKED.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_of_links_is_a_folder(site: str) -> None:
    found = find_objects([site])
    assert [(s.path, s.video_id, s.size_bytes > 1000) for s in found.sources] == [
        ("a.mp4", "a", True), ("busy%20always.mp4", "busy always", True), ("busy.mp4", "busy", True),
        ("deep/z.mp4", "z", True),
    ]  # fmt: skip
    assert (found.root, found.ignored) == (site, 1)


def test_a_busy_server_gives_in_and_one_that_does_not_is_a_failure(site: str, tmp_path: Path) -> None:
    waits: list[float] = []
    _, always, busy, _ = find_objects([site]).sources
    ASKED.clear()
    assert Path(fetch(busy, tmp_path / "1", waits.append).file).stat().st_size == busy.size_bytes
    assert waits == [3.0, 3.0]
    with pytest.raises(FetchFailed, match="5 times") as error:
        fetch(always, tmp_path / "2", waits.append)
    assert error.value.code == "unreadable"


def test_a_store_from_the_web(site: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"url,video_id\n{site}/a.mp4?key=x,first\n{site}/deep/z.mp4,\n{site}/no.mp4,\n")
    summary = run([], tmp_path / "s.h5", manifest=tmp_path / "m.csv")
    with FeatureStore(tmp_path / "s.h5") as store:
        assert {v: store[v].path for v in store} == {"first": "a.mp4?key=x", "z": "deep/z.mp4"}
        assert store["first"].valid["visual"].all()
    assert [(f.path, f.code) for f in summary.failures] == [("no.mp4", "not_found")]
    assert run([], tmp_path / "s.h5", manifest=tmp_path / "m.csv").progress.videos_total == 0
