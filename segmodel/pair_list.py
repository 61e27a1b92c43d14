"""Lists of users and videos that somebody asks about."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from segfeat.interactions import Interactions
from segmodel.predict import pairs_of

_UNSAFE = re.compile(r"[^\w.-]+")
_NAME_LENGTH = 60
"""Characters of an id that a file name keeps."""


def read_pairs(path: str | Path, past: Interactions, video: str | None = None) -> Interactions:
    """Pairs from a CSV file with ``user_id`` and, unless ``video`` is given, ``video_id``; other columns are ignored.

    Each pair stands after the user's last view in ``past``.

    Parameters
    ----------
    path : path
    past : Interactions
    video : str, optional
        The video of every row.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, has a row without an id, or no row.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as CSV: {str(error).strip()}") from error
    if video is not None:
        table["video_id"] = video
    missing = [name for name in ("user_id", "video_id") if name not in table]
    if missing:
        raise ValueError(f"{path}: missing column(s) {', '.join(missing)}; found {', '.join(map(str, table.columns))}")
    empty = np.flatnonzero((table.user_id == "") | (table.video_id == ""))
    if len(empty):
        raise ValueError(f"{path}, row {empty[0] + 1}: no user or video id")
    if not len(table):
        raise ValueError(f"{path}: has no row")
    table = table.drop_duplicates(["user_id", "video_id"])
    users, videos = list(dict.fromkeys(table.user_id)), list(dict.fromkeys(table.video_id))
    every = pairs_of(users, videos, past)
    user = np.array([users.index(u) for u in table.user_id], dtype=np.int32)
    video_code = np.array([videos.index(v) for v in table.video_id], dtype=np.int32)
    return replace(every.take(user * len(videos) + video_code), dropped={})


def file_name(number: int, user_id: str, video_id: str, suffix: str) -> str:
    """A file name for a pair that holds on every file system, whatever the ids; the number keeps it unique."""
    user, video = (_UNSAFE.sub("_", text)[:_NAME_LENGTH] for text in (user_id, video_id))
    return f"{number:04d}-{user}-{video}{suffix}"
