"""How every command ends: exit codes and error messages in one place."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import NoReturn

import click

FINISHED, FAILED, USAGE, PARTLY_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def run(group: click.Group) -> NoReturn:
    """Run a command group; user errors become one line on stderr, never a traceback.

    Exit codes: 0 finished, 1 the job could not run or nothing succeeded, 2 usage, 3 finished with failures under
    ``--strict``, 130 interrupted and resumable.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # File names of any bytes, and terminals of any encoding: what cannot be shown is escaped, never an error.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        # Work that goes on in another way says so itself; click wraps what it has caught.
        click.echo(str(error.__cause__ or error) or "interrupted; run the same command again to go on", err=True)
        sys.exit(INTERRUPTED)
    except (ValueError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else FINISHED)
