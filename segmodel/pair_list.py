"""Lists of users and videos that somebody asks about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store import FeatureStore
from segmodel.predict import pairs_of

if TYPE_CHECKING:
    import pandas as pd

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
    table = _read_ids(path, {} if video is None else {"video_id": video}, ("user_id", "video_id"))
    table = table.drop_duplicates()
    users, videos = list(dict.fromkeys(table.user_id)), list(dict.fromkeys(table.video_id))
    every = pairs_of(users, videos, past)
    user = np.array([users.index(u) for u in table.user_id], dtype=np.int32)
    video_code = np.array([videos.index(v) for v in table.video_id], dtype=np.int32)
    return replace(every.take(user * len(videos) + video_code), dropped={})


def read_videos(path: str | Path, store: FeatureStore) -> list[str]:
    """Ids of videos of the store, from a CSV file with ``video_id``; other columns are ignored, and repeated ids.

    Raises
    ------
    ValueError
        As :func:`read_pairs`, and for a video that is not in the store.
    """
    table = _read_ids(path, {}, ("video_id",))
    videos: list[str] = table.video_id.tolist()
    for row, video in enumerate(videos, start=1):
        if video not in store:
            raise ValueError(f"{path}, row {row}: video {video!r} is not in {store.path}")
    return list(dict.fromkeys(videos))


def _read_ids(path: str | Path, given: Mapping[str, str], columns: Sequence[str]) -> pd.DataFrame:
    """The id columns of a CSV file, each pair of ids once; a ``given`` one stands in every row."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as CSV: {str(error).strip()}") from error
    table = table.assign(**given)
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{path}: missing column(s) {', '.join(missing)}; found {', '.join(map(str, table.columns))}")
    table = table[list(columns)]
    empty = np.flatnonzero((table == "").any(axis=1))
    if len(empty):
        raise ValueError(f"{path}, row {empty[0] + 1}: no {' or '.join(c.removesuffix('_id') for c in columns)} id")
    if not len(table):
        raise ValueError(f"{path}: has no row")
    return table


def file_name(number: int, user_id: str, video_id: str, suffix: str) -> str:
    """A file name for a pair that holds on every file system, whatever the ids; the number keeps it unique."""
    user, video = (_UNSAFE.sub("_", text)[:_NAME_LENGTH] for text in (user_id, video_id))
    return f"{number:04d}-{user}-{video}{suffix}"
