"""Shares of an extraction, as the tasks of a job array run them: together they are the whole, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segfeat.extraction import ExtractSummary
from segfeat.pipeline import shard as shards
from segfeat.pipeline.job import job_folder
from segfeat.pipeline.request import Request
from segfeat.pipeline.share import Share, extract_share

Run = Callable[..., ExtractSummary]

TASK = """
import sys
from segfeat.pipeline import shard
shard.SHARD_VIDEOS = 2
from segfeat_cli.segfeat import main
main()
"""


def request(folder: Path, out: Path) -> Request:
    return Request([folder], out, preset="offline", audio="none", text="none", workers=1)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 2)


@pytest.mark.cluster
def test_two_processes_and_a_merge_give_the_single_machines_store(
    run: Run, small_shards: None, copies: Callable[..., Path], tmp_path: Path, content: Callable[[Path], str]
) -> None:
    folder = copies(*(f"v{i}.mp4" for i in range(7)))
    (folder / "bad.mp4").write_bytes(b"no video")
    run(folder, tmp_path / "whole.h5")
    arguments = [str(folder), "-o", str(tmp_path / "shared.h5"), "--preset", "offline", "--audio", "none"]
    arguments += ["--text", "none", "--workers", "1", "--share"]
    tasks = [subprocess.Popen([sys.executable, "-c", TASK, "extract", *arguments, f"{k}/2"], text=True) for k in (1, 2)]
    assert [task.wait(240) for task in tasks] == [0, 0]
    assert len(list(job_folder(tmp_path / "shared.h5").glob("shard-*.h5"))) == 4
    summary = run(folder, tmp_path / "shared.h5")
    assert summary.progress.videos_done == 0
    assert content(tmp_path / "shared.h5") == content(tmp_path / "whole.h5")


def test_shares_divide_the_shards_and_a_second_time_nothing_is_left(
    small_shards: None, copies: Callable[..., Path], tmp_path: Path
) -> None:
    folder, out = copies(*(f"v{i}.mp4" for i in range(5))), tmp_path / "feats.h5"
    assert [extract_share(request(folder, out), Share(k, 2)) for k in (2, 1, 1)] == [1, 2, 0]
    assert len(list(job_folder(out).glob("shard-*.h5"))) == 3


def test_what_is_no_share_is_refused() -> None:
    for text in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(ValueError, match="share"):
            Share.parsed(text)
    assert Share.parsed("3/16") == Share(3, 16)
