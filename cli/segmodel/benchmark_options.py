"""Options that both benchmarks share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from .log_options import trains_on_log
from .options import FILE, device

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Spending:
    """What a benchmark may spend, on what, and where it goes.

    Attributes
    ----------
    budget : str
    given : mapping
        Limits of the budget that the user has replaced.
    options : mapping
        Run options: log and split.
    jobs : int
    device : str
    out : path
    """

    budget: str
    given: Mapping[str, int]
    options: Mapping[str, Any]
    jobs: int
    device: str
    out: Path


def runs_benchmark(command: Command) -> Command:
    """What both benchmarks take beside their rows and columns; it reaches the command as one :class:`Spending`."""

    @functools.wraps(command)
    def gathered(
        log_options: dict[str, Any],
        budget: str,
        split: str,
        train_share: float,
        jobs: int,
        device: str,
        out: Path,
        trials: int | None,
        seeds: int | None,
        epochs: int | None,
        **others: Any,
    ) -> Any:
        limits = {"trials": trials, "seeds": seeds, "epochs": epochs}
        options: dict[str, Any] = {"split": split, "train_share": train_share, **log_options}
        given = {k: v for k, v in limits.items() if v is not None}
        return command(spending=Spending(budget, given, options, jobs, device, out), **others)

    decorators = [
        trains_on_log,
        click.option("--budget", type=click.Choice(["small", "default"]), default="default", show_default=True),
        click.option("--trials", type=click.IntRange(1), help="Settings tried for each; default: the budget's."),
        click.option("--seeds", type=click.IntRange(1), help="Fits of the chosen settings; default: the budget's."),
        click.option("--epochs", type=click.IntRange(1), help="Most epochs of a fit; default: the budget's."),
        click.option(
            "--split",
            type=click.Choice(["temporal", "random"]),
            default="temporal",
            show_default=True,
            help="random leaks.",
        ),
        click.option("--train-share", type=float, default=0.8, show_default=True, help="Of each user's views."),
        click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Fits at a time."),
        click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i]."),
        click.option(
            "-o", "--out", type=FILE, default=Path("benchmark"), show_default=True, help="Folder of cells and tables."
        ),
    ]
    wrapped: Any = gathered
    for decorator in reversed(decorators):
        wrapped = decorator(wrapped)
    return cast(Command, wrapped)
