"""A log in partitions, made into datasets a few partitions at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segfeat.partitioned_log import PartitionedLog
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.parts import SplitLog
from segmodel.data.splits import Split
from segmodel.data.views import Views

PART_VIEWS = 1_000_000
"""Partitions are read together up to so many views; a log of no more is in memory as a whole."""


def split_partitions(
    log: PartitionedLog,
    store: FeatureStore | None,
    split: Callable[[Views], Split],
    *,
    part_views: int = PART_VIEWS,
    **limits: Any,
) -> SplitLog:
    """A log in parts of one or more partitions, one part in memory at a time.

    Parameters
    ----------
    log : PartitionedLog
    store : FeatureStore, optional
    split : callable
        Must look at one user at a time.
    part_views : int
        Most views of a part of several partitions; one partition may have more.
    **limits
        As of :func:`segmodel.data.dataset.make_dataset`.
    """
    groups = _groups(log.views, part_views)
    last: dict[int, tuple[Dataset, Split]] = {}

    def load(k: int) -> tuple[Dataset, Split]:
        # Often asked for again: the only part of a small log, and a part whose roles are looked at in turn.
        if k not in last:
            last.clear()
            data = make_dataset(log.read(*groups[k]), store, **limits)
            last[k] = data, split(data.views)
        return last[k]

    return SplitLog(len(groups), load)


def _groups(views: tuple[int, ...], most: int) -> list[list[int]]:
    """Numbers of partitions that are read together; at least one group, and no empty partition among several."""
    groups: list[list[int]] = [[]]
    held = 0
    for k, count in enumerate(views):
        if not count:
            continue
        if groups[-1] and held + count > most:
            groups.append([])
            held = 0
        groups[-1].append(k)
        held += count
    return groups if groups[-1] else [[0]]
