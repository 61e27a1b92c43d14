"""``segmodel benchmark``: the tables of the paper on any store."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

COMMANDS = {
    "skip": ".segmodel.benchmark_skip:skip",
    "recommend": ".segmodel.benchmark_recommend:recommend",
    "watch-time": ".segmodel.benchmark_watch_time:watch_time",
}


@click.group(cls=LazyGroup, commands_table=COMMANDS)
def benchmark() -> None:
    """Tune and measure every system on the same views of a store; finished fits are kept."""
