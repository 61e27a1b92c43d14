"""Every command that prints can do so for programs, and not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from segfeat_cli.segfeat import segfeat
from segfeat_cli.segmodel import segmodel
from tests.media import Picture, make_video


def commands() -> list[tuple[str, click.Command]]:
    """All commands of both programs, those of groups included, and the group that is a command itself."""
    found: list[tuple[str, click.Command]] = []

    def walk(name: str, command: click.Command) -> None:
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                for sub in command.list_commands(context):
                    inner = command.get_command(context, sub)
                    assert inner is not None
                    walk(f"{name} {sub}", inner)
        if not isinstance(command, click.Group) or "out" in {parameter.name for parameter in command.params}:
            found.append((name, command))

    walk("segfeat", segfeat)
    walk("segmodel", segmodel)
    return found


@pytest.mark.parametrize(("name", "command"), [c for c in commands() if c[0] != "segmodel serve"])
def test_every_command_that_ends_has_both_options(name: str, command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "-q", "--quiet"} <= options, name


LOG = "user_id,video_id,time_ms,duration_ms,playing_time\n" + "".join(
    f"u{i % 3},v{i % 7},{1_700_000_000_000 + i},{9_000 + 10 * (i % 7)},{4_000}\n" for i in range(40)
)


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., str]:
    """What a command prints on the standard output."""
    (tmp_path / "log.csv").write_text(LOG)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(segfeat, [a.replace("@", f"{tmp_path}/") for a in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    call("import", "csv", "@log.csv", "-o", "@feats.h5", "-q")
    return call


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (("import", "csv", "@log.csv", "-o", "@new.h5"), "views", 40),
        (("info", "@feats.h5"), "videos", 7),
        (("status", "@feats.h5"), "state", "finished"),
        (("compact", "@feats.h5", "-o", "@new.h5"), "videos", 7),
        (("check", "@feats.h5"), "wrong", []),
        (("export", "@feats.h5", "-o", "@new"), "segments", 14),
    ],
)
def test_what_segfeat_says(told: Callable[..., str], arguments: tuple[str, ...], key: str, value: object) -> None:
    words = told(*arguments)
    assert words
    with pytest.raises(json.JSONDecodeError):
        json.loads(words)
    again = [a.replace("@new", "@newer") for a in arguments]
    assert json.loads(told(*again, "--json"))[key] == value
    assert told(*[a.replace("@new", "@newest") for a in arguments], "-q") == ""


def test_no_errors_are_an_empty_list(told: Callable[..., str]) -> None:
    assert json.loads(told("errors", "@feats.h5", "--json")) == []
    assert told("errors", "@feats.h5", "-q") == ""


def test_an_extraction_says_what_became_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    make_video(folder / "good.mp4", [Picture(count=10)])
    (folder / "bad.mp4").write_bytes(b"no video")
    arguments = [
        "extract",
        str(folder),
        "-o",
        str(tmp_path / "f.h5"),
        "--preset",
        "offline",
        "--workers",
        "1",
        "--json",
    ]
    foreseen = json.loads(CliRunner().invoke(segfeat, [*arguments, "--dry-run"]).stdout)
    assert (foreseen["videos"], len(foreseen["failures"])) == (1, 1)
    found = json.loads(CliRunner().invoke(segfeat, arguments).stdout)
    assert (found["videos"], found["read"], sum(found["failed"].values())) == (1, 1, 1)
