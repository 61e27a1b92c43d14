"""The small videos of the extraction's own tests."""

from __future__ import annotations

import os

from tests.segfeat.extract.conftest import content, copies, films, run, source

# Ray reads it as it is imported: a machine that is busy with other things is no broken one.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")

__all__ = ["content", "copies", "films", "run", "source"]
