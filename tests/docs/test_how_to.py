"""Every how-to page does what it says: its files are written, its code is run."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segfeat.encoders import ENCODERS
from segfeat.importers import IMPORTERS
from segmodel.evaluation.view_metrics import METRICS
from segmodel.models import MODELS
from tests.segmodel.conftest import make_log, make_store

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("add-*.md"))
_BLOCK = re.compile(r'^```python(?: title="([\w.]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


def test_there_are_pages_with_code() -> None:
    assert {p.stem for p in PAGES} == {"add-encoder", "add-importer", "add-metric", "add-model"}
    assert all(_BLOCK.search(p.read_text()) for p in PAGES)


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[None]:
    """What a page enters into a registry, and its modules, are gone again when it has run."""
    tables: list[dict[str, Any]] = [METRICS, MODELS, ENCODERS, IMPORTERS]  # type: ignore[list-item]
    before = [set(table) for table in tables]
    yield
    for table, names in zip(tables, before, strict=True):
        for name in table.keys() - names:
            del table[name]
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
@pytest.mark.usefixtures("registries")
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_store(tmp_path / "feats.h5", make_log())
    code = ""
    for title, block in _BLOCK.findall(page.read_text()):
        if title:
            (tmp_path / title).write_text(block)
        else:
            code += block
    (tmp_path / "page.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    runpy.run_path("page.py", run_name="__main__")
