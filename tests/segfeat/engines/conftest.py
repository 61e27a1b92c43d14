"""The small videos of the extraction's own tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.segfeat.extract.conftest import content, copies, films, run, source

# Ray reads them as it is imported: a machine that is busy with other things is no broken one, and workers, which are
# nice otherwise, have to come up beside other tests and a driver that looks out for them.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
os.environ.setdefault("RAY_worker_niceness", "0")


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """No other test process has a Ray cluster meanwhile: a driver joins the latest one of its machine."""
    with (Path(tempfile.gettempdir()) / "segfeat-tests-ray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


__all__ = ["content", "copies", "films", "run", "source"]
