"""Printer: what a command says, for people, for programs (``--json``), or not at all (``--quiet``)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Printer:
    """Where a command puts its words and its result.

    Parameters
    ----------
    as_json : bool
        One JSON object, or list, at the end instead of words.
    quiet : bool
        No words and no progress.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self._content: dict[str, Any] | list[Any] = {}

    def text(self, words: str) -> None:
        """For people, on the standard output."""
        if not (self.as_json or self.quiet):
            click.echo(words)

    def progress(self, words: str) -> None:
        """How far it is, on the standard error."""
        if not self.quiet:
            click.echo(words, err=True)

    def warn(self, words: str) -> None:
        """What somebody should know in any case, on the standard error."""
        click.echo(words, err=True)

    def result(self, **content: Any) -> None:
        """For programs: what ``--json`` prints."""
        self._content = {**self._content, **content} if isinstance(self._content, dict) else content

    def listing(self, rows: list[dict[str, Any]]) -> None:
        """For programs: a list is all that ``--json`` prints."""
        self._content = rows

    def finish(self) -> None:
        """Print what has been gathered."""
        if self.as_json:
            click.echo(json.dumps(self._content, indent=2, default=_plain))


def prints(command: Command) -> Command:
    """``--json`` and ``-q``; the command receives a :class:`Printer`."""

    @functools.wraps(command)
    def gathered(*args: Any, as_json: bool, quiet: bool, **others: Any) -> Any:
        printer = Printer(as_json, quiet)
        code = command(*args, printer=printer, **others)
        printer.finish()
        return code

    wrapped: Any = gathered
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors and warnings."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words."),
    ):
        wrapped = option(wrapped)
    return cast(Command, wrapped)


def _plain(value: Any) -> Any:
    """Arrays, numpy numbers and paths as JSON has them."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
