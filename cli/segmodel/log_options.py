"""The log that models are trained on: options of all commands that train."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from ..log_columns import CONTEXT, UNIT
from .options import FILE

Command = TypeVar("Command", bound=Callable[..., Any])


def trains_on_log(command: Command) -> Command:
    """``--interactions``, ``--context`` and ``--unit``; they reach the command as run options, ``log_options``."""

    @wraps(command)
    def gathered(
        *args: Any, interactions: tuple[Path, ...], context: tuple[str, ...], units: tuple[str, ...], **others: Any
    ) -> Any:
        given = {"interactions": [str(path) for path in interactions], "context": list(context), "unit": list(units)}
        return command(*args, log_options={k: v for k, v in given.items() if v}, **others)

    options = [
        click.option(
            "--interactions",
            type=FILE,
            multiple=True,
            help="Watch log, or the folder of its partitions; default: that of the store.",
        ),
        CONTEXT,
        UNIT,
    ]
    wrapped = cast(Command, gathered)
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
