"""Which views train, validate and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from segfeat.types import Bool
from segmodel.data.views import Rows, Views

MIN_VIEWS = 5
"""Users with fewer views are train only."""

VALID_SHARE = 0.1
"""Of each user's views, between those that train and those that test."""


@dataclass(frozen=True, eq=False)
class Split:
    """Ascending view rows of the three parts; disjoint, together all views but those ``dropped``, counted by reason."""

    train: Rows
    valid: Rows
    test: Rows
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Split: {len(self.train):,} train, {len(self.valid):,} validation, {len(self.test):,} test>"


def temporal_split(views: Views, train_share: float = 0.8, valid_share: float = VALID_SHARE) -> Split:
    """Per user: the first views train, the next validate, the last test.

    A group of views with one timestamp goes whole to the earlier part. With ``train_share`` 0.7 the test window starts
    at 80 %, and so on: "several cuts" are several values of it.

    Raises
    ------
    ValueError
        If the shares are not positive or leave nothing to test.
    """
    if min(train_share, valid_share, 1 - train_share - valid_share) <= 0:
        raise ValueError(
            f"shares {train_share:g} (train) and {valid_share:g} (validation) must leave some views to test"
        )
    count, rank = _ranks(views)
    # The part of a tied group is that of its first view.
    rank = rank[_tie_start(views)]
    part = np.digitize(
        (rank + 1e-9) / count, [train_share, train_share + valid_share]
    )  # the sliver keeps view 8 of 10 out of the first 80 %
    part[count < MIN_VIEWS] = 0
    return _split(part)


def random_split(views: Views, seed: int = 0) -> Split:
    """The paper's 8:1:1 at random within each user. It leaks: most test views precede the user's last training view."""
    count, _ = _ranks(views)
    order = np.lexsort((np.random.default_rng(seed).random(len(views)), views.user))
    rank = np.empty(len(views))
    first = np.flatnonzero(np.r_[True, np.diff(views.user) != 0]) if len(views) else np.zeros(0, int)
    rank[order] = np.arange(len(views)) - np.repeat(first, np.diff(np.r_[first, len(views)]))
    part = np.digitize((rank + 1e-9) / count, [0.8, 0.9])
    part[count < MIN_VIEWS] = 0
    return _split(part)


def leave_out_split(views: Views, left_out: Bool, train_share: float = 0.8, valid_share: float = VALID_SHARE) -> Split:
    """Train without some views and test on them alone.

    The other views train and validate as :func:`temporal_split` of all views has it; their last part is not used. Of a
    user's left-out views those test that come after the last view of this user that trains or validates: all of them
    where none does. So no user is trained on what comes after a test view of theirs, and the left-out views that
    :func:`temporal_split` would test on are always among the test views.

    Parameters
    ----------
    views : Views
    left_out : bool (V,)
    train_share, valid_share : float

    Raises
    ------
    ValueError
        As :func:`temporal_split`.
    """
    whole = temporal_split(views, train_share, valid_share)
    train, valid = (rows[~left_out[rows]] for rows in (whole.train, whole.valid))
    known = np.concatenate([train, valid])
    last_ms = np.full(len(views.user_ids), np.iinfo(np.int64).min)
    np.maximum.at(last_ms, views.user[known], views.time_ms[known])
    later = views.time_ms > last_ms[views.user]
    dropped = {
        "left-out views not after their user's last training view": int((left_out & ~later).sum()),
        "other views of the test window": int((~left_out[whole.test]).sum()),
    }
    return Split(train, valid, np.flatnonzero(left_out & later), {why: n for why, n in dropped.items() if n})


def parse_leave_out(split: str) -> tuple[str, str] | None:
    """Name and value of ``leave-out NAME=VALUE``; None for a split of another kind.

    Raises
    ------
    ValueError
        If it begins so and goes on otherwise.
    """
    kind, _, rest = split.partition(" ")
    if kind != LEAVE_OUT:
        return None
    name, equals, value = rest.strip().partition("=")
    if not (name and equals and value):
        raise ValueError(f"split {split!r} must read {LEAVE_OUT} NAME=VALUE or {LEAVE_OUT} FILE:COLUMN=VALUE")
    return name, value


LEAVE_OUT = "leave-out"
"""What a split begins with that leaves one kind of views out."""

SPLITS: Mapping[str, Callable[..., Split]] = {"temporal": temporal_split, "random": random_split}
"""The splits that ``segmodel train --split`` offers by name alone; beside them ``leave-out NAME=VALUE``."""


def _split(part: np.ndarray) -> Split:
    train, valid, test = (np.flatnonzero(part == k) for k in range(3))
    return Split(train, valid, test)


def _ranks(views: Views) -> tuple[np.ndarray, np.ndarray]:
    """Per view: its user's number of views, and its own rank among them."""
    n = len(views)
    starts = np.flatnonzero(np.r_[True, np.diff(views.user) != 0]) if n else np.zeros(0, int)
    counts = np.diff(np.r_[starts, n])
    return np.repeat(counts, counts), np.arange(n) - np.repeat(starts, counts)


def _tie_start(views: Views) -> np.ndarray:
    """Per view: the row of the first view of its user at its time."""
    n = len(views)
    new = np.r_[True, (np.diff(views.user) != 0) | (np.diff(views.time_ms) != 0)] if n else np.zeros(0, bool)
    return np.flatnonzero(new)[np.cumsum(new) - 1] if n else np.zeros(0, int)
