"""``segmodel evaluate --slices`` by table, by attribute and by column of the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Cli = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, rng: np.random.Generator) -> Path:
    monkeypatch.chdir(tmp_path)
    n = 3000
    video = rng.integers(0, 40, n)
    pd.DataFrame(
        {
            "user_id": [f"u{i % 60}" for i in range(n)], "video_id": [f"v{v}" for v in video],
            "time_ms": 1_700_000_000_000 + 60_000 * np.arange(n), "duration_ms": 3000 + 800 * video,
            "playing_time": rng.integers(1, 30_000, n), "tab": rng.integers(0, 3, n),
        }
    ).to_csv("log.csv", index=False)  # fmt: skip
    videos, users = range(40), range(60)
    tags = ["food|dance" if i % 2 else "food" for i in videos]
    authors = [f"a{i % 4}" for i in videos]
    pd.DataFrame({"video_id": [f"v{i}" for i in videos], "author_id": authors, "tags": tags}).to_csv("videos.csv")
    ages = ["young" if i % 2 else "old" for i in users]
    pd.DataFrame({"user_id": [f"u{i}" for i in users], "age": ages}).to_csv("users.csv", index=False)
    log = ("log.csv", "--metadata", "videos.csv", "--context", "tab")
    answer = cli("segfeat", "import", "csv", *log, "-o", "feats.h5")
    assert answer.code == 0, answer.err
    assert cli("segmodel", "train", "feats.h5", "--model", "duration-user-position", "-q").code == 0
    return tmp_path


def test_slices_by_table_attribute_and_column(place: Path, cli: Cli) -> None:
    names = ("--slices", "users.csv:age", "--slices", "author_id", "--slices", "tab", "--slices", "videos.csv:tags")
    answer = cli("segmodel", "evaluate", *names, "--json")
    assert answer.code == 0, answer.err
    rows = json.loads(answer.out)["slices"]
    values = {(r["source"], r["value"]) for r in rows}
    assert {("age", "young"), ("age", "old"), ("author_id", "a2"), ("tab", "1"), ("tags", "dance")} <= values
    assert "length" in {r["source"] for r in rows}
    gaps = [r["gap"] for r in rows]
    assert gaps == sorted(gaps, reverse=True)
    young, old = (next(r for r in rows if r["value"] == v) for v in ("young", "old"))
    assert young["gap"] == pytest.approx(-old["gap"])
    text = cli("segmodel", "evaluate", "--slices", "all").out
    assert "slices, worst first" in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", r"no slices by 'nothing'.*author_id"),
        ("users.csv:height", "missing column height"),
        ("log.csv:nope", "missing column nope"),
    ],
)
def test_names_that_are_nothing_are_refused(place: Path, cli: Cli, name: str, message: str) -> None:
    answer = cli("segmodel", "evaluate", "--slices", name)
    assert answer.code == 1
    assert message.replace(".*", "") in answer.err or all(part in answer.err for part in message.split(".*"))
