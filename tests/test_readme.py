"""What README and docs tell people to type is what the commands take; their Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest

from segfeat_cli.segfeat import segfeat
from segfeat_cli.segmodel import segmodel
from tests.media import Picture, make_video
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
@pytest.mark.timeout(900)
def test_the_five_minutes_run_as_they_stand(tmp_path: Path) -> None:
    """One after another, in a folder of a few videos; only weights that would be downloaded are replaced."""
    make_world(tmp_path)
    lines = commands(ROOT / "README.md")
    lines[0] += " --preset offline"
    lines = [line.replace("--user U", "--user u1").replace("--video V", "--video sea-0") for line in lines]
    serving = [line for line in lines if line.startswith("segmodel serve")]
    for line in lines:
        if line in serving:
            continue
        program, *arguments = shlex.split(line, comments=True)
        done = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    written = {path.name for path in tmp_path.iterdir()}
    assert {"feats.h5", "runs", "skips.csv", "report.html", "best.png"} <= written
    skips = pd.read_csv(tmp_path / "skips.csv")
    totals = (
        skips.groupby(["user_id", "video_id"]).skip_probability.sum()
        + skips.groupby(["user_id", "video_id"]).survival.last()
    )
    assert totals.between(1 - 1e-6, 1 + 1e-6).all()
    assert len(serving) == 1


def make_world(folder: Path) -> None:
    """Eight videos of 6 to 20 s, their titles, a log in which six users see six of them, and pairs to predict."""
    (folder / "videos").mkdir()
    seconds = {f"sea-{i}": 6 + 2 * i for i in range(8)}
    for name, length_s in seconds.items():
        make_video(folder / "videos" / f"{name}.mp4", [Picture(count=25 * length_s)])
    (folder / "titles.csv").write_text("video_id,title\n" + "".join(f"{n},waves {n}\n" for n in seconds))
    views = [
        (f"u{user}", f"sea-{(user + k) % 6}", 1_700_000_000_000 + 60_000 * k + user)
        for user in range(6)
        for k in range(12)
    ]
    rows = [
        f"{u},{v},{t},{1000 * seconds[v]},{1000 * seconds[v] if (t // 1000) % 3 else 2000 + t % 3000}"
        for u, v, t in views
    ]
    (folder / "watch_log.csv").write_text("\n".join(["user_id,video_id,time_ms,duration_ms,playing_time", *rows]))
    (folder / "pairs.csv").write_text(
        "user_id,video_id,time_ms\n"
        + "".join(
            f"{user},{video},1700001000000\n" for user, video in (("u1", "sea-0"), ("u2", "sea-5"), ("new", "sea-1"))
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    make_store(tmp_path / "feats.h5", make_log())
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000
