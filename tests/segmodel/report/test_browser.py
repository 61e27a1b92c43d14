"""The report in a real browser: it renders, complains about nothing and asks nobody for anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import segmodel.report

BROWSER = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this system")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--disable-extensions", "--disable-default-apps", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip

_RESOURCE = r'"traffic_annotation":101845102,"url":"((?:[^"\\]|\\.)*)"'
"""How Chromium's network log marks what a page asked for ("blink_resource_loader"), apart from its own business."""


class Visit(NamedTuple):
    """What a visit of a page led to."""

    picture: Path
    document: str
    console: list[str]
    requests: list[str]


def visit(page: Path, folder: Path, *flags: str) -> Visit:
    """Open a page, take a picture of it, and say what it wrote to the console and asked for."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as home:
        net, picture = Path(home) / "net.json", folder / f"{page.stem}.png"
        command = [
            str(BROWSER), *FLAGS, f"--user-data-dir={home}/profile", f"--log-net-log={net}", f"--screenshot={picture}",
            "--dump-dom", "--virtual-time-budget=2000", *flags, page.as_uri(),
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            document, words = process.communicate(timeout=90)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, words
        console = re.findall(r"CONSOLE[:(].*", words)
        requests = re.findall(_RESOURCE, net.read_text(errors="replace"))
    return Visit(picture, document, console, [a for a in dict.fromkeys(requests) if not a.startswith("data:")])


@pytest.fixture(scope="module")
def seen(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return visit(world.page, tmp_path_factory.mktemp("seen"), "--window-size=1280,2400")


def test_it_renders_and_complains_about_nothing(seen: Visit) -> None:
    assert seen.console == []
    assert "How well the" in seen.document
    with Image.open(seen.picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[:2] == (2400, 1280)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200
    # Not one blank half: every fifth of the page has something drawn.
    assert all(part.std() > 5 for part in np.array_split(pixels, 5))


def test_it_asks_nobody_for_anything(seen: Visit) -> None:
    assert seen.requests == []


def test_hostile_titles_do_not_run(seen: Visit) -> None:
    (title,) = re.findall(r"<title>(.*?)</title>", seen.document.split("<svg")[0])
    assert title.startswith("run ")


def test_a_page_that_does_complain_and_ask_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://example.invalid/x.png"><script>console.error("woe")</script>')
    found = visit(page, tmp_path)
    assert any("woe" in line for line in found.console)
    assert any("example.invalid" in address for address in found.requests)


def test_dark_and_light_differ(world: Any, seen: Visit, tmp_path: Path) -> None:
    dark = visit(world.page, tmp_path, "--window-size=1280,2400", "--blink-settings=preferredColorScheme=0")
    means = []
    for picture in (seen.picture, dark.picture):
        with Image.open(picture) as image:
            means.append(np.asarray(image.convert("L")).mean())
    assert means[0] > 180 > 80 > means[1]


def test_a_phone_shows_it_without_scrolling_sideways(world: Any, tmp_path: Path) -> None:
    inside = escape(world.page.read_text(), quote=True)
    page = tmp_path / "phone.html"
    page.write_text(
        f'<iframe id="f" style="width:360px;height:800px;border:0" srcdoc="{inside}"></iframe><p id="o"></p><script>'
        "onload = () => { const d = document.getElementById('f').contentDocument.documentElement;"
        "document.getElementById('o').textContent = 'width ' + d.scrollWidth + ' of ' + d.clientWidth; }</script>"
    )
    assert "width 360 of 360" in visit(page, tmp_path).document


ROWS = [("b", 2.0), ("a", 10.0), ("c", "nan"), ("d", -1.0)]


@pytest.mark.parametrize(
    ("clicks", "order"), [("n", "dbac"), ("nn", "abdc"), ("t", "abcd"), ("tt", "dcba"), ("nt", "abcd")]
)
def test_headings_sort(tmp_path: Path, sorts: Callable[[str], tuple[str, str]], clicks: str, order: str) -> None:
    """By number, whatever is none last; by words; a second click turns the order round."""
    assert sorts(clicks) == (order, "descending" if len(set(clicks)) < len(clicks) else "ascending")


@pytest.fixture(scope="module")
def sorts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, str]]:
    """What clicks on the headings make of a table, all tried in one visit."""
    folder = tmp_path_factory.mktemp("sort")
    script = (Path(segmodel.report.__file__).parent / "sort.js").read_text()
    rows = "".join(f'<tr><th data-value="{t}">{t}</th><td data-value="{n}"></td></tr>' for t, n in ROWS)
    head = '<th data-kind="text"><button>t</button></th><th data-kind="number"><button>n</button></th>'
    tried = ("n", "nn", "t", "tt", "nt")
    tables = "".join(
        f'<table class="sortable" id="{c}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>' for c in tried
    )
    act = (
        f"const found = {{}}; for (const c of {json.dumps(tried)}) {{ const t = document.getElementById(c);"
        "for (const k of c) [...t.querySelectorAll('button')].find(b => b.textContent === k).click();"
        "found[c] = [[...t.tBodies[0].rows].map(r => r.cells[0].textContent).join(''),"
        "t.querySelector('[aria-sort]').getAttribute('aria-sort')]; }"
        "document.body.innerHTML = '<pre>' + JSON.stringify(found) + '</pre>';"
    )
    page = folder / "sort.html"
    page.write_text(f"<body>{tables}<script>{script}</script><script>{act}</script>")
    found = json.loads(re.findall(r"<pre>(.*?)</pre>", visit(page, folder).document)[0])
    return lambda clicks: tuple(found[clicks])
