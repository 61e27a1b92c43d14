"""The watch log: who was shown which video when, and for how long they watched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

MAX_DURATION_S = 200.0
"""Longer videos are left out by default (He et al. 2025 keep 5 to 200 s)."""

Codes = npt.NDArray[np.int32]
Millis = npt.NDArray[np.int64]
Ids = npt.NDArray[np.object_]


class Categories(NamedTuple):
    """A categorical column of N rows: codes (N,) into names (K,); -1 where the category is unknown."""

    codes: Codes
    names: Ids

    @classmethod
    def of(cls, values: pd.Series) -> Categories:
        """From strings or missing values; names stand in the order in which they first occur."""
        codes, names = values.factorize()
        return cls(codes.astype(np.int32), np.asarray(names, dtype=object))

    def joined(self, other: Categories) -> Categories:
        """The rows of both, this one's first."""
        names, code = _merged_codes(self.names, other.names)
        return Categories(np.concatenate([self.codes, np.append(code, np.int32(-1))[other.codes]]), names)

    @classmethod
    def unknown(cls, n: int) -> Categories:
        """A column of n rows of which nothing is known."""
        return cls(np.full(n, -1, np.int32), np.zeros(0, dtype=object))


@dataclass(frozen=True, eq=False)
class Interactions:
    """A validated watch log of N rows, in the order of its file.

    Attributes
    ----------
    user_ids : object (U,)
        Strings; ``user`` codes point into it.
    video_ids : object (V,)
        Strings; ``video`` codes point into it.
    user, video : int32 (N,)
    time_ms : int64 (N,)
        When the view began.
    watch_ms : int64 (N,)
        Time watched; 0 where unknown, as in the pairs of a prediction.
    duration_ms : int64 (N,)
        Length of the video as the log knows it; 0 where unknown.
    dropped : mapping of reason to int
        Rows of the file that are not here, counted by reason.
    context : mapping of name to Categories
        Categorical columns (N,) about the views, such as where in the app they happened.
    """

    user_ids: Ids
    video_ids: Ids
    user: Codes
    video: Codes
    time_ms: Millis
    watch_ms: Millis
    duration_ms: Millis
    dropped: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, Categories] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.user)
        for name in ("video", "time_ms", "watch_ms", "duration_ms"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"interactions: {name} has {len(getattr(self, name))} rows, user has {n}")
        for name, (codes, names) in self.context.items():
            if len(codes) != n or (n and (codes.min() < -1 or codes.max() >= len(names))):
                raise ValueError(f"interactions: context {name} needs {n} codes from -1 to {len(names) - 1}")
        for codes, ids, name in ((self.user, self.user_ids, "user"), (self.video, self.video_ids, "video")):
            if n and (codes.min() < 0 or codes.max() >= len(ids)):
                raise ValueError(f"interactions: {name} codes reach {codes.max()}, but there are {len(ids)} {name} ids")

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        users, videos = len(np.unique(self.user)), len(np.unique(self.video))
        return f"<Interactions: {len(self):,} views, {users:,} users, {videos:,} videos>"

    @classmethod
    def empty(cls) -> Interactions:
        """A log of no views."""
        ids, codes, numbers = np.zeros(0, dtype=object), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
        return cls(ids, ids, codes, codes, numbers, numbers, numbers)

    def take(self, rows: npt.NDArray[Any]) -> Interactions:
        """The given rows (a boolean mask or indices), with the same id tables."""
        columns = ("user", "video", "time_ms", "watch_ms", "duration_ms")
        context = {name: column._replace(codes=column.codes[rows]) for name, column in self.context.items()}
        return replace(self, **{name: getattr(self, name)[rows] for name in columns}, context=context)

    def with_durations(self, duration_ms: Mapping[str, int]) -> Interactions:
        """Unknown durations filled in from ``duration_ms``, a mapping from video id to milliseconds."""
        table = np.array([duration_ms.get(v, 0) for v in self.video_ids], dtype=np.int64)
        known = (
            self.duration_ms if not len(table) else np.where(self.duration_ms > 0, self.duration_ms, table[self.video])
        )
        return replace(self, duration_ms=known)

    def unusable(
        self, max_duration_s: float = MAX_DURATION_S, watch_needed: bool = True
    ) -> dict[str, npt.NDArray[np.bool_]]:
        """Why rows cannot be used: reason -> mask (N,); every row stands under its first reason only.

        A row is usable iff 0 < duration < ``max_duration_s`` and (where needed) watch > 0.
        """
        reasons = {
            "unknown duration": self.duration_ms <= 0,
            f"duration of {max_duration_s:g} s or more": self.duration_ms >= np.rint(max_duration_s * 1000),
        }
        if watch_needed:
            reasons["no watch time"] = self.watch_ms <= 0
        taken = np.zeros(len(self), dtype=bool)
        for reason, mask in reasons.items():
            reasons[reason] = mask & ~taken
            taken |= mask
        return reasons

    def usable(self, max_duration_s: float = MAX_DURATION_S) -> Interactions:
        """Only the usable rows; the others are added to ``dropped`` by reason."""
        reasons = self.unusable(max_duration_s)
        dropped = dict(self.dropped)
        keep = np.ones(len(self), dtype=bool)
        for reason, mask in reasons.items():
            keep &= ~mask
            if mask.any():
                dropped[reason] = dropped.get(reason, 0) + int(mask.sum())
        return replace(self.take(keep), dropped=dropped)

    def joined(self, other: Interactions) -> Interactions:
        """Rows of both logs over merged id tables, this one's first; rows known already are dropped as duplicates."""
        user_ids, users = _merged_codes(self.user_ids, other.user_ids)
        video_ids, videos = _merged_codes(self.video_ids, other.video_ids)
        both = Interactions(
            user_ids,
            video_ids,
            np.concatenate([self.user, users[other.user]]).astype(np.int32),
            np.concatenate([self.video, videos[other.video]]).astype(np.int32),
            np.concatenate([self.time_ms, other.time_ms]),
            np.concatenate([self.watch_ms, other.watch_ms]),
            np.concatenate([self.duration_ms, other.duration_ms]),
            context={
                name: self.context.get(name, Categories.unknown(len(self))).joined(
                    other.context.get(name, Categories.unknown(len(other)))
                )
                for name in dict.fromkeys([*self.context, *other.context])
            },
        )
        return both.take(both.first_of_duplicates())

    def compact(self) -> Interactions:
        """The same rows over id tables without the ids that no row uses."""
        users, user = np.unique(self.user, return_inverse=True)
        videos, video = np.unique(self.video, return_inverse=True)
        return replace(
            self,
            user_ids=self.user_ids[users],
            video_ids=self.video_ids[videos],
            user=user.astype(np.int32),
            video=video.astype(np.int32),
        )

    def first_of_duplicates(self) -> npt.NDArray[np.bool_]:
        """Mask (N,) of rows that are the first with their user, video and time."""
        key = np.stack([self.user.astype(np.int64), self.video.astype(np.int64), self.time_ms], axis=1)
        keep = np.zeros(len(self), dtype=bool)
        if len(self):
            keep[np.unique(key, axis=0, return_index=True)[1]] = True
        return keep

    def fingerprint(self) -> str:
        """SHA-256 over ids and rows: equal logs have equal fingerprints."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.video_ids):
            digest.update("\0".join(ids.tolist()).encode())
        for column in (self.user, self.video, self.time_ms, self.watch_ms, self.duration_ms):
            digest.update(np.ascontiguousarray(column).tobytes())
        for name, (codes, names) in sorted(self.context.items()):
            digest.update("\0".join([name, *names.tolist()]).encode() + codes.tobytes())
        return digest.hexdigest()


def _merged_codes(first: Ids, second: Ids) -> tuple[Ids, Codes]:
    """One id table for both, and where each id of ``second`` stands in it."""
    position = {v: i for i, v in enumerate(first.tolist())}
    extra = [v for v in second.tolist() if v not in position]
    for v in extra:
        position[v] = len(position)
    table = np.concatenate([first, np.array(extra, dtype=object)]) if extra else first
    return table, np.array([position[v] for v in second.tolist()], dtype=np.int32)
