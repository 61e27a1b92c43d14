"""``--unit`` and ``--context``: what a log's columns say, for every command that takes one in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .names import names

Command = TypeVar("Command", bound=Callable[..., Any])


def _unit(words: str) -> Callable[[Command], Command]:
    return click.option("--unit", "units", multiple=True, metavar="UNIT", help=words)


UNIT = _unit("Of the log's numbers: ms, s or us; or of one of them, as time=s, duration=s, watch=s.  [default: ms]")

LATER_UNIT = _unit("Of the numbers in further logs and pairs, as in train.  [default: as in the run's log]")

CONTEXT = click.option(
    "--context",
    multiple=True,
    metavar="NAME[,NAME]",
    callback=names,
    help="Columns of the log to keep as categories of the views.",
)
