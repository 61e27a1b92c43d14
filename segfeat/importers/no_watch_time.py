"""``tenrec`` and ``microlens``: published without watch times, and refused with the reason instead of misread."""

from __future__ import annotations

from typing import NoReturn

from segfeat.importers.imported import Files


def tenrec(files: Files) -> NoReturn:
    """Tenrec (Yuan et al. 2022): its files say whether and how often a video was watched, not for how long.

    Raises
    ------
    ValueError
        Always.
    """
    raise ValueError(
        f"{files.logs[0]}: Tenrec has no watch times: watching_times counts views, and neither lengths of videos nor "
        "times of views are published; a log with them can be read as csv"
    )


def microlens(files: Files) -> NoReturn:
    """MicroLens (Ni et al. 2023): its interactions are public comments.

    Raises
    ------
    ValueError
        Always.
    """
    raise ValueError(
        f"{files.logs[0]}: MicroLens has no watch times: its interactions (user, item, timestamp) are public comments; "
        "a log with them can be read as csv, and its videos with segfeat extract"
    )
