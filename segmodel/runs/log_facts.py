"""LogFacts: what a run says of its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from segfeat.log_check import LogCheck, check_log
from segfeat.partitioned_log import PartitionedLog
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset
from segmodel.data.parts import ROLES, SplitLog
from segmodel.data.splits import Split
from segmodel.data.views import Views


@dataclass(frozen=True)
class LogFacts:
    """What a log holds.

    Attributes
    ----------
    check : LogCheck
    text : str
        The views, in words.
    views : role -> int
    dropped : reason -> int
    capped : int
    segment_s : float
    """

    check: LogCheck
    text: str
    views: Mapping[str, int]
    dropped: Mapping[str, int]
    capped: int
    segment_s: float


def facts_of_views(check: LogCheck, views: Views, split: Split) -> LogFacts:
    """Of a log in memory."""
    counts = {role: len(getattr(split, role)) for role in ROLES}
    return LogFacts(check, repr(views), counts, {**views.dropped, **split.dropped}, views.capped, views.segment_s)


def facts_of_parts(log: PartitionedLog, parts: SplitLog, store: FeatureStore) -> LogFacts:
    """Of a log in partitions, from one walk over it; units and median lengths are those of one partition.

    Raises
    ------
    ValueError
        As :func:`segfeat.log_check.check_log`, for one partition.
    """
    sample = log.read(int(np.argmax(log.views)))
    check = check_log(sample, store.duration_ms, str(store.path))
    counts, dropped, videos = Counter[str](), Counter(log.dropped), Counter[str]()
    times: list[int] = []
    completed = 0

    def look(data: Dataset, split: Split) -> None:
        nonlocal completed
        views = data.views
        counts.update({role: len(getattr(split, role)) for role in ROLES})
        counts.update(users=len(np.unique(views.user)), capped=views.capped, rows=len(views))
        dropped.update(views.dropped)
        codes, count = np.unique(views.video, return_counts=True)
        videos.update(dict(zip(views.video_ids[codes].tolist(), count.tolist(), strict=True)))
        if len(views):
            times.extend((int(views.time_ms.min()), int(views.time_ms.max())))
            completed += int(views.completed.sum())

    for k in range(parts.count):
        look(*parts.load(k))
    stored = [n for video, n in videos.items() if video in store.rows]
    check = replace(
        check,
        rows=counts["rows"],
        users=counts["users"],
        videos=len(videos),
        stored=len(stored),
        stored_rows=sum(stored),
        first_ms=min(times, default=0),
        last_ms=max(times, default=0),
    )
    views = {role: counts[role] for role in ROLES}
    share = completed / max(check.rows, 1)
    text = f"<Views: {check.rows:,} of {check.users:,} users and {check.videos:,} videos, {share:.0%} completed>"
    return LogFacts(check, text, views, dict(dropped), counts["capped"], store.segment_s)
