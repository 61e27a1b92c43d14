"""Names of columns, as options that may be given more than once take them."""

from __future__ import annotations

import click


def names(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Names given one by one or with commas between them, each once."""
    return tuple(dict.fromkeys(name.strip() for some in given for name in some.split(",") if name.strip()))
