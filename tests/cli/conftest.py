"""Running the commands inside the test process, with their exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import pytest


class Answer(NamedTuple):
    """What a user sees of a finished command."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """A function that runs ``cli("segfeat", "info", …)`` and answers (code, out, err)."""

    def run(name: str, *arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            import_module(f"segfeat_cli.{name}").main()
        code = ending.value.code
        return Answer(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run
