from __future__ import annotations

from pathlib import Path

import pytest

from examples.world import World, WorldConfig, make_world, simulate


@pytest.fixture(scope="session")
def world() -> World:
    """The default world, without media."""
    return simulate()


TINY = WorldConfig(
    videos=6, users=4, heldout_users=3, cold_share=0.34, min_s=4.0, max_s=13.0, views=(3, 5), silent_share=0.4, seed=5
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A world of six short videos on disk."""
    folder = tmp_path_factory.mktemp("tiny") / "world"
    return folder, make_world(folder, TINY, workers=1)
