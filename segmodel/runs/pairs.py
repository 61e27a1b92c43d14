"""Lists of users and videos that somebody asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore

if TYPE_CHECKING:
    import pandas as pd


def pairs_of(users: Sequence[str], videos: Sequence[str], known: Interactions) -> Interactions:
    """Every user with every video, each pair once, after the user's last known view."""
    users, videos = list(dict.fromkeys(users)), list(dict.fromkeys(videos))
    return pairs_after([u for u in users for _ in videos], videos * len(users), known)


def pairs_after(users: Sequence[str], videos: Sequence[str], known: Interactions) -> Interactions:
    """Pairs (users[i], videos[i]), each after the user's last view in ``known``; durations are left to the store."""
    user_ids, video_ids = list(dict.fromkeys(users)), list(dict.fromkeys(videos))
    user_code, video_code = ({v: i for i, v in enumerate(ids)} for ids in (user_ids, video_ids))
    last = np.full(len(known.user_ids), -1, dtype=np.int64)
    np.maximum.at(last, known.user, known.time_ms)
    of_known = {u: i for i, u in enumerate(known.user_ids.tolist())}
    after = np.array([last[i] + 1 if (i := of_known.get(u)) is not None else 0 for u in user_ids], dtype=np.int64)
    user = np.array([user_code[u] for u in users], dtype=np.int32)
    unknown = np.zeros(len(user), dtype=np.int64)
    return Interactions(
        user_ids=np.array(user_ids, dtype=object),
        video_ids=np.array(video_ids, dtype=object),
        user=user,
        video=np.array([video_code[v] for v in videos], dtype=np.int32),
        time_ms=after[user] if len(user) else unknown,
        watch_ms=unknown,
        duration_ms=unknown,
    )


def read_pairs(path: str | Path, known: Interactions, video: str | None = None) -> Interactions:
    """Pairs from a CSV file with ``user_id`` and, unless ``video`` is given, ``video_id``; other columns are ignored.

    Each pair stands after the user's last view in ``known``.

    Parameters
    ----------
    path : path
    known : Interactions
    video : str, optional
        The video of every row.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, has a row without an id, or no row.
    """
    table = _read_ids(path, {} if video is None else {"video_id": video}, ("user_id", "video_id"))
    table = table.drop_duplicates()
    return pairs_after(table.user_id.tolist(), table.video_id.tolist(), known)


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
