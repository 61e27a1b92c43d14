"""The small videos of the extraction's own tests."""

from __future__ import annotations

from tests.segfeat.extract.conftest import content, copies, films, run, source

__all__ = ["content", "copies", "films", "run", "source"]
