"""A click group whose commands are imported when they are called, so that ``--help`` stays light."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group over a table of command name -> ``module:attribute``, modules relative to this package."""

    def __init__(self, *args: object, commands_table: Mapping[str, str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed through
        self.commands_table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_table)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.commands_table, n=1)
            if near and args[0] not in self.commands_table:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error
            raise

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.commands_table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.partition(":")
        command = getattr(import_module(module, package=__package__), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry} is no click command")
        return command
