"""The page to try the server with, in a real browser: strips appear, errors can be read, nothing else is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn

from segmodel.serve.app import create_app
from segmodel.serve.service import Service
from tests import chromium

pytestmark = pytest.mark.skipif(chromium.PATH is None, reason="no Chromium on this system")

READY = """new Promise(answer => {
  const look = () => (CONDITION) ? answer(true) : setTimeout(look, 20);
  setTimeout(() => answer(false), 20000);
  look();
})"""


@pytest.fixture
def address(start: Callable[..., Service]) -> Iterator[str]:
    """A server over the quickest model, with a key."""
    server = uvicorn.Server(uvicorn.Config(create_app(start(), ["secret"]), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[chromium.Chromium]:
    opened = chromium.Chromium(tmp_path / "profile")
    yield opened
    opened.close()


def wait(browser: chromium.Chromium, condition: str) -> None:
    assert browser.run(READY.replace("CONDITION", condition)), condition


def test_the_pages_work_on_a_phone_and_ask_the_server_alone(address: str, browser: chromium.Chromium) -> None:
    message = "document.getElementById('message')"
    browser.show(address, 390, 844)
    # Without the key the page says what it needs, and a field for it appears.
    wait(browser, f"{message}.textContent.includes('key is needed')")
    assert browser.run(f"{message}.className") == "error"
    browser.events.clear()
    browser.run(
        "{ const k = document.getElementById('key'); k.value = 'secret'; k.dispatchEvent(new Event('change')) }"
    )
    wait(browser, "!document.getElementById('answer').hidden")
    assert browser.run("document.querySelectorAll('#answer tbody tr').length") == 12
    # Strips are as long as their videos, on one scale, and each segment of the first has its place.
    widths, seconds = browser.run(
        "[[...document.querySelectorAll('.strips > div:not(.pictures)')]"
        ".map(d => d.offsetWidth / d.parentElement.offsetWidth),"
        "answer.predictions.map(v => v.duration_s)]"
    )
    assert [w * max(seconds) for w in widths] == pytest.approx(seconds, rel=0.02)
    assert browser.run("document.documentElement.scrollWidth - innerWidth") == 0
    assert browser.complaints == []
    # Another colour is drawn without asking again.
    asked = len(browser.requests)
    browser.run(
        "{ const f = document.getElementById('figure'); f.value = 'survival'; f.dispatchEvent(new Event('change')) }"
    )
    assert browser.run("document.getElementById('told').textContent") == "chance in % of watching past the segment"
    assert len(browser.requests) == asked
    # An unknown video is named, as text, and so is a user of whom nothing is known.
    browser.run(
        "document.getElementById('videos').value = '<img src=x>'; document.getElementById('user').value = 'nobody';"
        "document.getElementById('question').requestSubmit()"
    )
    wait(browser, f"{message}.textContent.includes('<img src=x>')")
    assert "the answer is one for anybody" in browser.run(f"{message}.textContent")
    assert browser.run("document.querySelectorAll('#answer tbody tr').length") == 0
    assert {urlsplit(a).netloc for a in browser.requests} == {urlsplit(address).netloc}

    browser.show(f"{address}docs#SkipRequest", 390, 844)
    wait(browser, "document.getElementById('SkipRequest')?.open")
    assert browser.run("document.documentElement.scrollWidth - innerWidth") == 0
    told = browser.run("[...document.querySelectorAll('pre.curl')].map(p => p.textContent).join('|')")
    assert f"curl {address}v1/predict-skip" in told
    assert '"user_id":"17"' in told
    assert browser.complaints == []


def test_a_server_that_is_gone_is_said(address: str, browser: chromium.Chromium) -> None:
    browser.show(address)
    wait(browser, "document.getElementById('message').className === 'error'")
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    browser.run(
        "for (const [id, value] of [['user', 'u1'], ['videos', 'v1']]) document.getElementById(id).value = value;"
        "document.getElementById('question').requestSubmit()"
    )
    wait(browser, "document.getElementById('message').textContent.includes('does not answer')")
    # Old rows answered another question.
    assert browser.run("document.getElementById('answer').hidden") is True
    assert browser.run("document.querySelectorAll('#answer tbody tr').length") == 0
