"""Every how-to page does what it says: its files are written, its code is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.segmodel.conftest import make_log, make_store

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("add-*.md"))
_BLOCK = re.compile(r'^```python(?: title="([\w.]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


def test_there_are_pages_with_code() -> None:
    assert {p.stem for p in PAGES} == {"add-encoder", "add-importer", "add-metric", "add-model"}
    assert all(_BLOCK.search(p.read_text()) for p in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, root: Path) -> None:
    make_store(tmp_path / "feats.h5", make_log())
    code = ""
    for title, block in _BLOCK.findall(page.read_text()):
        if title:
            (tmp_path / title).write_text(block)
        else:
            code += block
    (tmp_path / "page.py").write_text(code)
    path = f"{tmp_path}{os.pathsep}{root}"
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
