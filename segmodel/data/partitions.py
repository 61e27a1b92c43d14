"""Statistics of a log in partitions: sums over users, so that one partition is in memory at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from segfeat.partitioned_log import PartitionedLog
from segfeat.store.reader import FeatureStore
from segmodel.data.views import Views, make_views

Sums = TypeVar("Sums", bound=tuple[npt.NDArray[Any], ...])


def partition_views(log: PartitionedLog, store: FeatureStore | None = None, **settings: Any) -> Iterator[Views]:
    """The views of each partition; ``settings`` as `make_views` takes them.

    All views of a user are in one partition, so pasts, splits by user and user statistics are those of the whole log.
    """
    for part in log:
        yield make_views(part, store, **settings)


def user_folds(views: Views, folds: int) -> npt.NDArray[np.int64]:
    """(N,) the fold of each view's user, which follows from the id alone, in whatever partition it stands."""
    by_user = np.array([zlib.crc32(v.encode()) % folds for v in views.user_ids.tolist()], dtype=np.int64)
    found: npt.NDArray[np.int64] = by_user[views.user]
    return found


def summed(parts: Iterator[Views], sums: Callable[[Views], Sums]) -> Sums:
    """``sums`` of all partitions: each of its arrays added up, in float64, in the order of the partitions.

    Raises
    ------
    ValueError
        If there is no partition.
    """
    total: Sums | None = None
    for views in parts:
        found = sums(views)
        total = found if total is None else tuple(a + b for a, b in zip(total, found, strict=True))  # type: ignore[assignment]
    if total is None:
        raise ValueError("a log without partitions has no statistics")
    return total
