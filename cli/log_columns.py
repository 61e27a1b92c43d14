"""``--unit`` and ``--context``: what a log's columns say, for every command that takes one in."""

from __future__ import annotations

import click

from .names import names

UNIT = click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="UNIT",
    help="Of the log's numbers: ms, s or us; or of one of them, as time=s, duration=s, watch=s.  [default: ms]",
)

LATER_UNIT = click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="UNIT",
    help="Of the numbers in further logs and pairs, as in train.  [default: as in the run's log]",
)

CONTEXT = click.option(
    "--context",
    multiple=True,
    metavar="NAME[,NAME]",
    callback=names,
    help="Columns of the log to keep as categories of the views.",
)
