"""The tutorials run as plain Python, from anywhere; `make docs` runs them as notebooks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda p: p.stem)
def test_a_tutorial_runs(tutorial: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, tutorial], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_are_three() -> None:
    assert len(TUTORIALS) == 3
