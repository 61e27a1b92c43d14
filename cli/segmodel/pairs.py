"""Options of commands that make a file for each pair of user and video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import FILE

if TYPE_CHECKING:
    from segmodel.runs.predictor import PairPredictions, Predictor

Command = TypeVar("Command", bound=Callable[..., Any])

VIDEOS = click.option(
    "--videos", type=FILE, metavar="ROOT", help="Folder of the raw videos; default: where they were extracted from."
)


def asks_for_pairs(command: Command) -> Command:
    """``--user``, ``--video``, ``--all-users`` and ``--videos``."""
    options = [
        click.option("--user", help="User id."),
        click.option("--video", help="Video id."),
        click.option(
            "--all-users",
            type=FILE,
            metavar="CSV",
            help="A file for each row, with user_id and, without --video, video_id; -o is then a folder.",
        ),
        VIDEOS,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def predict_asked(predictor: Predictor, user: str | None, video: str | None, all_users: Path | None) -> PairPredictions:
    """Predictions for the pairs that the options name."""
    from segmodel.runs.pairs import read_pairs

    if all_users is not None:
        if user is not None:
            raise click.UsageError("give either --user or --all-users")
        return predictor.pairs(read_pairs(all_users, predictor.data.known, video))
    if user is None or video is None:
        raise click.UsageError("give --user and --video, or --all-users CSV")
    return predictor.product([user], [video])


def check_target(out: Path | None, all_users: Path | None, suffixes: tuple[str, ...]) -> None:
    """Refuse a single file of another format before any work; with ``--all-users`` it is a folder."""
    if out is not None and all_users is None and out.suffix.lower() not in suffixes:
        raise click.UsageError(f"{out}: the suffix decides the format; valid are {', '.join(suffixes)}")


def report_errors(errors: Sequence[str], what: str) -> None:
    """Say how many files of a bulk could not be written, and why the first could not."""
    if errors:
        click.echo(f"{len(errors):,} {what} could not be written; the first: {errors[0]}", err=True)
