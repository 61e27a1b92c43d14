"""``--unit``: in what a log counts time, for every command that takes one in."""

from __future__ import annotations

import click

UNIT = click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="UNIT",
    help="Of the log's numbers: ms, s or us; or of one of them, as time=s, duration=s, watch=s.  [default: ms]",
)
