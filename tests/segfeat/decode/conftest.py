"""The contract's files, made once a session when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.segfeat.decode.cases import CASES


@pytest.fixture(scope="session")
def media_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a case by name."""
    folder = tmp_path_factory.mktemp("media")

    def get(name: str) -> Path:
        path = folder / Path(name).stem / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            CASES[name].make(path)
        return path

    return get
