"""``python -m examples.world OUT``: make a world of real videos and a watch log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from .config import WorldConfig
from .maker import make_world


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--videos", default=WorldConfig.videos, show_default=True, help="Number of videos, cold ones included.")
@click.option("--users", default=WorldConfig.users, show_default=True, help="Users of the training log.")
@click.option("--seed", default=WorldConfig.seed, show_default=True, help="The same seed makes the same world.")
@click.option("--permute", is_flag=True, help="Permute watch / duration ratios across rows: a world without tastes.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that encode videos.  [default: one a core]")
def main(out: Path, videos: int, users: int, seed: int, permute: bool, workers: int | None) -> None:
    """Make a small world in the new folder OUT: videos, titles, watch logs, and the truth behind them."""
    began = time.monotonic()

    def say(done: int, everything: int) -> None:
        if done % 20 == 0 or done == everything:
            click.echo(f"{done} of {everything} videos, {time.monotonic() - began:.0f} s", err=True)

    try:
        make_world(out, WorldConfig(videos=videos, users=users, seed=seed), permute, workers, say)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    report = json.loads((out / "world.json").read_text(encoding="utf-8"))
    nats = report["heldout_test_nats_per_view"]
    click.echo(f"{out}: {report['videos']} videos, {report['hours']:.2f} hours, {report['views']['train']} views")
    click.echo(
        f"held-out users on cold videos, nats per view: true hazard {nats['oracle']:.3f}, "
        f"DurationPosition {nats['DurationPosition']:.3f}"
    )


if __name__ == "__main__":
    main()
