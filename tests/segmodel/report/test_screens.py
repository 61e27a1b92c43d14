"""The report on a phone, in the dark and by keyboard, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import chromium

pytestmark = pytest.mark.skipif(chromium.PATH is None, reason="no Chromium on this system")

FIRST_COLUMN = "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].map(r => r.cells[0].textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Chromium]:
    opened = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def sideways(browser: chromium.Chromium) -> int:
    """Pixels by which the page is wider than the screen."""
    found: int = browser.run("document.documentElement.scrollWidth - innerWidth")
    return found


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_no_screen_scrolls_sideways(world: Any, bare_world: Any, browser: chromium.Chromium, width: int) -> None:
    for page in (world.page, bare_world.page):
        browser.show(page.as_uri(), width, 800)
        browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
        assert sideways(browser) == 0
        assert browser.complaints == []
        assert browser.requests == [page.as_uri()]


@pytest.mark.parametrize("width", [360, 1280])
def test_time_labels_do_not_meet(world: Any, browser: chromium.Chromium, width: int) -> None:
    browser.show(world.page.as_uri(), width, 800)
    gaps = browser.run(
        "[...document.querySelectorAll('.strip')].flatMap(s => { const t = [...s.querySelectorAll('.time')]"
        ".map(e => e.getBoundingClientRect()); return t.slice(1).map((r, i) => r.left - t[i].right); })"
    )
    assert len(gaps) > 8
    assert min(gaps) > 0


def test_the_dark_page_is_dark_on_a_phone(world: Any, browser: chromium.Chromium, tmp_path: Path) -> None:
    brightness = []
    for dark in (False, True):
        browser.show(world.page.as_uri(), 390, 844, dark=dark)
        browser.picture(tmp_path / "shot.png")
        with Image.open(tmp_path / "shot.png") as image:
            assert image.size == (390, 844)
            brightness.append(np.asarray(image.convert("L")).mean())
    assert brightness[0] > 180 > 80 > brightness[1]


def test_a_table_is_sorted_by_keyboard(world: Any, browser: chromium.Chromium) -> None:
    browser.show(world.page.as_uri())
    for _ in range(60):
        browser.press("Tab")
        if browser.run("document.activeElement.closest('th')?.dataset.kind === 'text'"):
            break
    browser.press("Enter")
    up = browser.run(FIRST_COLUMN)
    browser.press("Enter")
    assert len(up) == 3
    assert up == sorted(up)
    assert browser.run(FIRST_COLUMN) == up[::-1]
    assert browser.run("document.activeElement.closest('th').getAttribute('aria-sort')") == "descending"
    # Whoever cannot see which key was pressed sees where the focus is.
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_all_cases_have_a_place_that_opens(world: Any, browser: chromium.Chromium) -> None:
    browser.show(world.page.as_uri())
    assert browser.run("document.querySelectorAll('article.case').length") == 8
    assert browser.run("[...document.querySelectorAll('article.case')].every(c => c.offsetHeight > 200)")
