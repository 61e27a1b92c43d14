"""``segmodel``: from a feature store to skip predictions, rankings and reports."""

from __future__ import annotations

import click

from ..lazy import LazyGroup
from ..run import run

COMMANDS = {
    "train": ".segmodel.train:train",
    "update": ".segmodel.update:update",
    "predict-skip": ".segmodel.predict_skip:predict_skip",
    "serve": ".segmodel.serve:serve",
    "evaluate": ".segmodel.evaluate:evaluate",
    "compare": ".segmodel.compare:compare",
    "ablate": ".segmodel.ablate:ablate",
    "shift": ".segmodel.shift:shift",
    "benchmark": ".segmodel.benchmark:benchmark",
    "recommend": ".segmodel.recommend:recommend",
    "report": ".segmodel.report:report",
    "thumbnail": ".segmodel.thumbnail:thumbnail",
    "preview": ".segmodel.preview:preview",
    "edit-list": ".segmodel.edit_list:edit_list",
    "push": ".segmodel.push:push",
    "pull": ".segmodel.pull:pull",
}


@click.group(cls=LazyGroup, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="segfeat")
def segmodel() -> None:
    """Learn which segments of a short video a user wants to see, and predict where they will leave."""


def main() -> None:
    """Entry point of the ``segmodel`` command."""
    run(segmodel)
