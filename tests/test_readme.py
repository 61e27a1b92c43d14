"""What README and docs tell people to type is what the commands take; their Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from segfeat_cli.segfeat import segfeat
from segfeat_cli.segmodel import segmodel
from tests.segmodel.conftest import make_log, make_store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GROUPS = {"segfeat": segfeat, "segmodel": segmodel}


def commands(page: Path) -> list[str]:
    """Lines of the page's plain fenced blocks that call our commands."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(("segfeat ", "segmodel "))]


LINES = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page)]


def parse(line: str) -> None:
    """Read a command's options and arguments as click does, without running it."""
    program, *arguments = shlex.split(line, comments=True)
    command: click.Command = GROUPS[program]
    context = click.Context(command, info_name=program)
    while isinstance(command, click.Group):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"no command {name}"
        command = found
    command.make_context(command.name, arguments, parent=context)


def test_the_readme_has_commands() -> None:
    assert len(commands(ROOT / "README.md")) >= 8


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{p}: {x}" for p, x in LINES])
def test_a_command_on_a_page_is_taken(page: str, line: str) -> None:
    parse(line)


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        parse("segmodel train feats.h5 --epoch-count 3")


@pytest.mark.slow
@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    make_store(tmp_path / "feats.h5", make_log())
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000
