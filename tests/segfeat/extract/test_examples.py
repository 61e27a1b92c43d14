"""The examples about extraction run and show what they promise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest


def show(script: Path, *arguments: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")
    return capsys.readouterr().out


def test_both_examples(
    root: Path, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, out = root / "examples" / "extract_api.py", tmp_path / "f.h5"
    said = show(script, films, out, monkeypatch=monkeypatch, capsys=capsys)
    assert "4/4 files, 0 failed\n4 videos, 7 segments\n" in said
    assert "long: 12.00 s, segments [[0.0, 5.0], [5.0, 10.0], [10.0, 12.0]]" in said
    assert "  visual (3, 112), in segments [0, 1, 2]" in said
    said = show(root / "examples" / "read_store_with_h5py.py", out, monkeypatch=monkeypatch, capsys=capsys)
    assert "segfeat 2, segments of 5 s" in said
    assert "visual: (7, 112) by offline:color-texture (none)" in said
    assert "said: (2, 192), 1 of 2 valid" in said
