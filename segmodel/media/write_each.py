"""One file for each of many choices, and an index of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TypeVar

_UNSAFE = re.compile(r"[^\w.-]+")
_NAME_LENGTH = 60
"""Characters of an id that a file name keeps."""


class Choice(Protocol):
    """A dataclass that names a user and a video."""

    @property
    def user_id(self) -> str: ...
    @property
    def video_id(self) -> str: ...


Chosen = TypeVar("Chosen", bound=Choice)


def write_each(
    chosen: Sequence[Chosen], folder: str | Path, suffix: str, write: Callable[[Chosen, Path], object]
) -> list[str]:
    """Write a file for each choice into a folder, and ``index.csv`` with all that is known of each.

    A video that cannot be read costs its own files alone: their rows have an ``error`` in place of a ``file``.

    Parameters
    ----------
    chosen : sequence
    folder : path
        Made where it is not there.
    suffix : str
        Of the files, such as ``.png``.
    write : function
        Writes one choice to a path; its ValueErrors are what can be wrong with a video.

    Returns
    -------
    The errors.

    Raises
    ------
    ValueError
        If no file could be written: the first error.
    """
    import pandas as pd

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows, errors = [], []
    for number, choice in enumerate(chosen, 1):
        known = asdict(choice)  # type: ignore[call-overload]  # every choice is a dataclass
        row = {**known, "file": file_name(number, choice.user_id, choice.video_id, suffix), "error": ""}
        try:
            write(choice, folder / row["file"])
        except ValueError as error:
            errors.append(str(error))
            row.update(file="", error=str(error))
        rows.append(row)
    if errors and len(errors) == len(rows):
        raise ValueError(errors[0])
    pd.DataFrame(rows).to_csv(folder / "index.csv", index=False, float_format="%.9g")
    return errors


def file_name(number: int, user_id: str, video_id: str, suffix: str) -> str:
    """A file name for a pair that holds on every file system, whatever the ids; the number keeps it unique."""
    user, video = (_UNSAFE.sub("_", text)[:_NAME_LENGTH] for text in (user_id, video_id))
    return f"{number:04d}-{user}-{video}{suffix}"
