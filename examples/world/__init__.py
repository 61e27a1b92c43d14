"""A small world with a known truth: topics, videos of topic segments, users with tastes, and their watch log.

``simulate(WorldConfig(...))`` makes the numbers alone, ``make_world(folder, WorldConfig(...))`` real videos too. From
the project's root: ``python -m examples.world OUT``.
"""

from .config import WorldConfig
from .maker import make_world, write_logs
from .reference import DurationHazard, DurationPosition, oracle_nll
from .simulation import World, simulate
from .synthetic import content_features
from .watchlog import exits, permute_ratios

__all__ = [
    "DurationHazard",
    "DurationPosition",
    "World",
    "WorldConfig",
    "content_features",
    "exits",
    "make_world",
    "oracle_nll",
    "permute_ratios",
    "simulate",
    "write_logs",
]
