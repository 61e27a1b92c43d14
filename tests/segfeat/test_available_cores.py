"""Cores that a process may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from segfeat import available_cores as module
from segfeat.available_cores import available_cores


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", 4), ("200000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("x", 4)]
)
def test_a_quota_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4))
    assert available_cores() == expected
