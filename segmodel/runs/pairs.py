"""Lists of users and videos that somebody asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore

if TYPE_CHECKING:
    import pandas as pd

def pairs_of(users: Sequence[str], videos: Sequence[str], past: Interactions) -> Interactions:
    """Every user with every video, each after the user's last known view, durations left to the store."""
    last = dict.fromkeys(users, -1)
    for code, user in enumerate(past.user_ids.tolist()):
        if user in last:
            times = past.time_ms[past.user == code]
            last[user] = int(times.max(initial=-1))
    n_users, n_videos = len(users), len(videos)
    return Interactions(
        user_ids=np.array(users, dtype=object),
        video_ids=np.array(videos, dtype=object),
        user=np.repeat(np.arange(n_users, dtype=np.int32), n_videos),
        video=np.tile(np.arange(n_videos, dtype=np.int32), n_users),
        time_ms=np.repeat(np.array([last[u] + 1 for u in users], dtype=np.int64), n_videos),
        watch_ms=np.zeros(n_users * n_videos, dtype=np.int64),
        duration_ms=np.zeros(n_users * n_videos, dtype=np.int64),
    )


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


