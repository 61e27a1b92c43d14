"""``torchrun -m segmodel train``: one run directory, a clear word when a process is lost, and how it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.runs.run import load_run

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a log and an empty store."""
    rng, n = np.random.default_rng(0), 1_200
    duration_ms, video = rng.integers(5_000, 90_000, 40), rng.integers(0, 40, n)
    columns = {"user_id": rng.integers(0, 60, n), "video_id": video, "time_ms": 1_700_000_000_000 + np.arange(n) * 50}
    watch_ms = (rng.random(n) * duration_ms[video]).astype(int) + 1
    pd.DataFrame({**columns, "duration_ms": duration_ms[video], "watch_ms": watch_ms}).to_csv(
        tmp_path / "log.csv", index=False
    )
    write_store(tmp_path / "feats.h5", StoreHeader(5.0, {}, {}), [])
    return tmp_path


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "segmodel"]
    return subprocess.Popen(
        [*command, "train", *arguments],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(job: subprocess.Popen[str]) -> list[int]:
    """Process ids of those that torchrun started, which run the command."""
    rows = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(job.pid)], capture_output=True, text=True).stdout
    return [int(row.split()[0]) for row in rows.splitlines() if "segmodel" in row]


def test_the_leading_process_alone_speaks_and_writes(place: Path) -> None:
    job = start(place, "feats.h5", "--interactions", "log.csv", "--set", "members=1", "--epochs", "2")
    out, err = job.communicate(timeout=200)
    assert job.returncode == 0, err
    assert out.count("run: runs/hazard-1") == 1
    assert err.count("epoch 2/2") == 1
    assert len(load_run(place / "runs" / "hazard-1").history) == 2
    assert (place / "runs" / "latest").resolve().name == "hazard-1"


def test_a_model_that_trains_in_one_process_says_so(place: Path) -> None:
    job = start(place, "feats.h5", "--interactions", "log.csv", "--model", "all-position")
    _, err = job.communicate(timeout=200)
    assert job.returncode != 0
    assert "model all-position trains in one process; start it without torchrun" in err


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_job_with_a_word_and_the_run_goes_on(place: Path, lost: int) -> None:
    settings = ("--set", "members=1", "--out", "run")
    job = start(place, "feats.h5", "--interactions", "log.csv", *settings, "--epochs", "400")
    began = time.monotonic()
    while not (place / "run" / "member-0" / "last.pt").exists():
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < began + 200
        time.sleep(0.1)
    os.kill(workers(job)[lost], signal.SIGKILL)
    _, err = job.communicate(timeout=100)
    assert job.returncode != 0
    assert "another process of this training has ended" in err
    assert "go on with --resume run under torchrun" in err
    # Few epochs are left of many.
    config = place / "run" / "config.json"
    done = len((place / "run" / "metrics.jsonl").read_text().splitlines())
    config.write_text(config.read_text().replace('"epochs": 400', f'"epochs": {done + 2}'))
    job = start(place, "--resume", "run")
    _, err = job.communicate(timeout=200)
    assert job.returncode == 0, err
    assert done <= len(load_run(place / "run").history) - 1 <= done + 1
