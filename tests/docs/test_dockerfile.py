"""The Dockerfile, read line by line: what it copies is there, what it installs is ours. It is not built here."""

from __future__ import annotations

import re
from pathlib import Path


def test_what_it_copies_is_in_the_checkout_and_not_ignored(root: Path) -> None:
    text = (root / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("FROM python:3.")
    assert {line.split()[0] for line in lines} <= {"FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "CMD"}
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    allowed = re.findall(r"^!(.+)$", (root / ".dockerignore").read_text(), re.MULTILINE)
    for name in copied:
        assert (root / name).exists()
        assert name in allowed
    # All that the package is built from.
    assert {"pyproject.toml", "README.md", "LICENSE", "segfeat", "segmodel", "cli"} == set(copied)
    assert lines.index("USER user") > max(i for i, line in enumerate(lines) if line.startswith("RUN"))
