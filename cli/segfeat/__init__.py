"""``segfeat``: from raw videos and logs to a feature store."""

from __future__ import annotations

import click

from ..lazy import LazyGroup
from ..run import run

COMMANDS = {
    "extract": ".segfeat.extract:extract",
    "info": ".segfeat.info:info",
    "errors": ".segfeat.errors:errors",
    "status": ".segfeat.status:status",
    "partition": ".segfeat.partition:partition",
    "compact": ".segfeat.compact:compact",
    "check": ".segfeat.check:check",
    "import": ".segfeat.import_log:import_log",
    "export": ".segfeat.export:export",
}


@click.group(cls=LazyGroup, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="segfeat")
def segfeat() -> None:
    """Split short videos into segments and write their visual, audio and text features into one HDF5 store."""


def main() -> None:
    """Entry point of the ``segfeat`` command."""
    run(segfeat)
