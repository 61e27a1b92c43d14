"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from ..log_columns import LATER_UNIT

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

LATEST = Path("runs/latest")


class TableFile(click.Path):
    """A table to write, refused before any work where its suffix is no format."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, allow_dash=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from segmodel.tables import table_format

        try:
            table_format(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


TABLE = TableFile()


class NamedFile(click.Path):
    """A file to write whose suffix must be one of some."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(path_type=Path)
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if Path(value).suffix.lower() not in self.suffixes:
            self.fail(f"{value}: the suffix decides the format; valid are {', '.join(self.suffixes)}", param, ctx)
        return super().convert(value, param, ctx)


def reads_run(command: Command) -> Command:
    """``[RUN]`` or ``--run``, ``--store``, ``--history``, ``--unit``: the options of every command that reads a run."""

    @wraps(command)
    def combined(*args: Any, run_argument: Path | None, run: Path | None, **others: Any) -> Any:
        if run_argument is not None and run is not None and run != run_argument:
            raise click.UsageError(f"two runs are named: {run_argument} and --run {run}")
        return command(*args, run=run_argument or run or LATEST, **others)

    options = [
        click.argument("run_argument", metavar="[RUN]", type=FILE, required=False),
        click.option("--run", type=FILE, help=f"Run directory, as RUN.  [default: {LATEST}]"),
        click.option("--store", type=FILE, help="Feature store; default: the one the run recorded."),
        click.option("--history", type=FILE, multiple=True, help="Log with extra views; may be given repeatedly."),
        LATER_UNIT,
    ]
    wrapped = cast(Command, combined)
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def key_values(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` options as a table."""
    table = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE")
        table[key.strip()] = value.strip()
    return table


def trains_grid(command: Command) -> Command:
    """``--cuts``, ``--seeds``, ``--set``, ``--epochs``, ``--device``: the options of commands that train many runs."""
    options = [
        click.option(
            "--cuts",
            default="0.9",
            show_default=True,
            callback=numbers(float),
            metavar="SHARES",
            help="Where test windows start, as 0.7,0.8,0.9.",
        ),
        click.option("--seeds", default="0", show_default=True, callback=numbers(int), help="As 0,1,2."),
        click.option("--set", "settings", multiple=True, callback=key_values, metavar="KEY=VALUE", help="A setting."),
        click.option("--epochs", type=int, help="At most so many; default: the model's own limit."),
        click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i]."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def numbers(kind: type) -> Callable[..., tuple[Any, ...]]:
    """A callback that reads a comma-separated list of numbers of one kind, repeated ones once."""

    def read(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[Any, ...]:
        try:
            found = tuple(dict.fromkeys(kind(part) for part in text.split(",") if part.strip()))
        except ValueError:
            found = ()
        if not found:
            raise click.BadParameter(f"{text!r} is no comma-separated list of numbers")
        return found

    return read


def device(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """``auto``, ``cpu`` or ``cuda[:i]``; ``auto`` takes a GPU where there is one."""
    from segmodel.models.device import resolve_device

    try:
        return resolve_device(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
