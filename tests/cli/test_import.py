"""``segfeat import`` as a user meets it: summary, exit codes, messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.importers import IMPORTERS
from segfeat.store.reader import open_store

Cli = Callable[..., Any]

LOG = """user_id,photo_id,time_ms,duration_ms,playing_time
1,a,1,12000,3000
2,a,2,12000,12000
2,b,3,5000,5000
2,b,3,5000,5000
2,c,4,0,5000
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


@pytest.fixture
def features(tmp_path: Path) -> list[object]:
    np.arange(1.0, 13).reshape(3, 4).tofile(tmp_path / "features.bin")
    (tmp_path / "index.json").write_text(json.dumps({"a-0": 0, "a-1": 1, "b-0": 2}))
    return ["--features", tmp_path / "features.bin", "--index", tmp_path / "index.json", "--dim", 4]


def test_the_summary_says_what_became_of_every_row(cli: Cli, log: Path, tmp_path: Path) -> None:
    answer = cli("segfeat", "import", "segmm", log, "-o", tmp_path / "store.h5")
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.splitlines() == [
        "log        4 rows, 2 users, 3 videos, 1 ms to 4 ms, median length 12.0 s",
        "rows       5 read, 3 used, 2 dropped",
        "           1 dropped: duplicate",
        "           1 dropped: unknown duration",
        "users      2",
        "videos     2 with 4 segments",
        "completed  66.7% of the views",
        f"wrote {tmp_path / 'store.h5'}",
    ]


def test_features_are_reported_with_what_is_missing(
    cli: Cli, log: Path, features: list[object], tmp_path: Path
) -> None:
    answer = cli("segfeat", "import", "segmm", log, "-o", tmp_path / "store.h5", *features)
    assert answer.code == 0, answer.err
    assert "features   for 3 segments (1 missing); 1 videos have all of theirs" in answer.out
    with open_store(tmp_path / "store.h5") as store:
        assert store["b"].visual.tolist() == [[9, 10, 11, 12]]


@pytest.mark.parametrize(("option", "value"), [("--dtype", "float32"), ("--dim", 5), ("--dim", 6)])
def test_features_read_wrongly_are_one_line_and_exit_1(
    cli: Cli, log: Path, features: list[object], tmp_path: Path, option: str, value: object
) -> None:
    answer = cli("segfeat", "import", "segmm", log, "-o", tmp_path / "store.h5", *features, option, value)
    assert answer.code == 1
    assert re.fullmatch(r"error: .*features\.bin: .*\n", answer.err)
    assert not (tmp_path / "store.h5").exists()


def test_features_without_their_index_are_a_usage_error(cli: Cli, log: Path, tmp_path: Path) -> None:
    answer = cli("segfeat", "import", "segmm", log, "-o", tmp_path / "store.h5", "--features", log)
    assert answer.code == 2
    assert "--features and --index belong together" in answer.err


def test_missing_columns_are_one_line_and_exit_1(cli: Cli, log: Path, tmp_path: Path) -> None:
    answer = cli("segfeat", "import", "kuairand", log, "-o", tmp_path / "store.h5")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err == (
        f"error: {log}: missing column(s) video_id, play_time_ms; "
        "found user_id, photo_id, time_ms, duration_ms, playing_time\n"
    )


def test_an_unknown_format_lists_the_valid_ones_and_exits_2(cli: Cli, log: Path, tmp_path: Path) -> None:
    answer = cli("segfeat", "import", "netflix", log, "-o", tmp_path / "store.h5")
    assert answer.code == 2
    assert all(name in answer.err for name in IMPORTERS)


def test_an_existing_store_is_kept_unless_told_otherwise(cli: Cli, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "store.h5"
    assert cli("segfeat", "import", "segmm", log, "-o", out).code == 0
    again = cli("segfeat", "import", "segmm", log, "-o", out)
    assert again.code == 1
    assert "exists already" in again.err
    assert cli("segfeat", "import", "segmm", log, "-o", out, "--overwrite", "--segment-seconds", 2).code == 0
    with open_store(out) as store:
        assert store.segment_total == 9


def test_several_logs_make_one_store(cli: Cli, log: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n9,z,1,6000,1\n")
    answer = cli("segfeat", "import", "csv", log, tmp_path / "more.csv", "-o", tmp_path / "store.h5")
    assert answer.code == 0, answer.err
    assert "videos     3 with 6 segments" in answer.out


# -- ready embeddings --------------------------------------------------------------------------------------------------


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    np.save(tmp_path / "clip.npy", np.arange(8.0).reshape(4, 2))
    (tmp_path / "clip.ids.csv").write_text("video_id,segment\na,0\na,1\nb,0\nzz,0\n")
    return tmp_path / "clip.npy"


def test_embeddings_join_a_store_that_is_there(cli: Cli, log: Path, embeddings: Path, tmp_path: Path) -> None:
    out = tmp_path / "store.h5"
    assert cli("segfeat", "import", "segmm", log, "-o", out).code == 0
    answer = cli("segfeat", "import", "features", out, "--visual", embeddings)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "visual     ready:clip.npy: 2 numbers a segment",
        "vectors    4 read, 3 used, 1 dropped",
        "           1 dropped: unknown video",
        "segments   3 of 4 have one; 1 of 2 videos have all of theirs",
        f"wrote {out}",
    ]
    again = cli("segfeat", "import", "features", out, "--visual", embeddings)
    assert again.code == 1
    assert "features already: visual (ready:clip.npy)" in again.err
    assert cli("segfeat", "import", "features", out, "--visual", embeddings, "--overwrite").code == 0
    assert "ready:clip.npy" in cli("segfeat", "info", out).out


def test_embeddings_without_a_file_are_a_usage_error(cli: Cli, tmp_path: Path) -> None:
    answer = cli("segfeat", "import", "features", tmp_path / "store.h5")
    assert answer.code == 2
    assert "--visual, --audio or --text" in answer.err


def test_options_may_still_stand_before_the_format(cli: Cli, log: Path, tmp_path: Path) -> None:
    assert cli("segfeat", "import", "-o", tmp_path / "store.h5", "segmm", log).code == 0
