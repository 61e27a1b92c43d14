"""A table gives way to one that says as much and more, and to no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segmodel.benchmark.extent import Extent

LARGE = Extent({"store": "a", "log": "b"}, {"trials": 16, "seeds": 3}, ("random", "sasrec"))


def put(folder: Path, extent: Extent) -> str:
    return extent.write(folder, "skip", "a table", {})


@pytest.mark.parametrize(
    "smaller",
    [
        {"budget": {"trials": 2, "seeds": 3}},
        {"budget": {"trials": 16, "seeds": 2}},
        {"rows": ("random",)},
        {"rows": ("random", "other")},
        {"data": {"store": "a", "log": "another"}},
    ],
    ids=str,
)
def test_a_smaller_or_other_table_stands_beside_the_larger(tmp_path: Path, smaller: dict[str, Any]) -> None:
    assert put(tmp_path, LARGE) == "skip"
    other = replace(LARGE, **smaller)
    beside = put(tmp_path, other)
    assert beside.startswith("skip-")
    assert put(tmp_path, other) == beside
    assert json.loads((tmp_path / "skip.json").read_text())["made_from"]["budget"] == LARGE.budget


@pytest.mark.parametrize(
    "larger", [{}, {"budget": {"trials": 17, "seeds": 3}}, {"rows": ("dien", "sasrec", "random")}], ids=str
)
def test_a_table_of_as_much_or_more_takes_its_place(tmp_path: Path, larger: dict[str, Any]) -> None:
    put(tmp_path, LARGE)
    assert put(tmp_path, replace(LARGE, **larger)) == "skip"


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"made_from": {"data": {}}}'])
def test_a_table_of_unknown_extent_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / "skip.json").write_text(content)
    assert LARGE.stem(tmp_path, "skip") != "skip"


def test_the_command_leaves_the_larger_table(store: Path, tmp_path: Path) -> None:
    from segfeat_cli.segmodel.benchmark import benchmark

    def run(systems: str) -> str:
        found = CliRunner().invoke(
            benchmark, ["skip", str(store), "--systems", systems, "--budget", "small", "-o", str(tmp_path)]
        )
        assert found.exit_code == 0, found.output
        return found.output

    run("random,duration-position")
    large = (tmp_path / "skip.md").read_text()
    said = run("random")
    assert (tmp_path / "skip.md").read_text() == large
    [name] = [line for line in said.splitlines() if line.startswith("-> ")]
    stem = name.removeprefix(f"-> {tmp_path}/").partition(".md")[0]
    assert "duration-position" not in (tmp_path / f"{stem}.md").read_text()
