"""``wechat``: WeChat Channels (WeChat Big Data Challenge 2021); watch times in ms, lengths in s, times in days.

The log is ``user_action.csv``, the metadata ``feed_info.csv``, without which no length is known. The only time is the
number of the day (``date_``), so all views of a user on one day have the same time and never see each other.
Descriptions are lists of anonymous word numbers.
"""

from __future__ import annotations

from segfeat.importers.descriptions import Columns
from segfeat.importers.imported import Files, Imported, read_tables

DAY_MS = 86_400_000

LOG: dict[str, tuple[str, ...]] = {
    "user": ("userid",),
    "video": ("feedid",),
    "time_ms": ("date_",),
    "duration_ms": (),
    "watch_ms": ("play",),
}

VIDEOS = Columns(
    key=("feedid",),
    words=("description",),
    duration=("videoplayseconds",),
    duration_ms=1000,
    # The tags of machines (machine_tag_list) carry probabilities, and are no categories.
    attributes=(
        "authorid",
        "bgm_song_id",
        "bgm_singer_id",
        "manual_keyword_list",
        "machine_keyword_list",
        "manual_tag_list",
    ),
    separator=";",
)

USERS = Columns(key=("userid",))


def read(files: Files) -> Imported:
    """Videos by author, music, keywords and tags; their lengths come from the metadata.

    Raises
    ------
    ValueError
        If no metadata is given.
    """
    if files.metadata is None:
        raise ValueError(f"{files.logs[0]}: lengths of videos stand in feed_info.csv; give it as metadata (--metadata)")
    return read_tables(files, LOG, VIDEOS, USERS, unit_ms={"time_ms": DAY_MS})
