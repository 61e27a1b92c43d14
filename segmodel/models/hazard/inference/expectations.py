"""What fitted networks expected of the views of their log, so that nobody who asks waits for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from segfeat.interactions import Codes
from segfeat.types import Bool, Float32, Float64, Int64
from segmodel.data.views import Rows, Views, ragged
from segmodel.models.base import Arrays, named_arrays


@dataclass(frozen=True, eq=False)
class Expectations:
    """Hazards of P views, each before it began: what their users' surprises are counted from.

    Attributes
    ----------
    first, end : int64 (users,)
        The views of the user with code u are ``first[u] : end[u]``, in order of time.
    time_ms : int64 (P,)
    video : int32 (P,)
        Codes of a vocabulary.
    exit, segments : int32 (P,)
    cold : bool (P,)
        Whether the statistics did not know the video.
    hazard : float32 (R,)
        Of the segments that were reached, view after view.
    """

    first: Int64
    end: Int64
    time_ms: Int64
    video: Codes
    exit: Codes
    segments: Codes
    cold: Bool
    hazard: Float32

    @classmethod
    def of(cls, views: Views, user: Int64, video: Int64, told: Iterable[tuple[Rows, Float64, Bool]]) -> Expectations:
        """Of watched views (P,) that are sorted by user and time.

        Parameters
        ----------
        views : Views
        user, video : int64 (P,)
            Codes of vocabularies.
        told : rows (B,), hazards (B, S) and whether each is cold (B,)
            All views, some at a time.
        """
        codes = np.arange(int(user.max(initial=0)) + 1)
        first, end = np.zeros_like(codes), np.zeros_like(codes)
        begin = np.flatnonzero(np.diff(views.user, prepend=-1))
        first[user[begin]], end[user[begin]] = begin, np.append(begin[1:], len(views))
        reached = _reached(views.exit, views.segments)
        start = np.cumsum(reached) - reached
        cold, hazard = np.zeros(len(views), dtype=bool), np.zeros(int(reached.sum()), np.float32)
        for rows, expected, strange in told:
            owner, s = ragged(reached[rows])
            hazard[start[rows][owner] + s] = expected[owner, s]
            cold[rows] = strange
        return cls(first, end, views.time_ms, video.astype(np.int32), views.exit, views.segments, cold, hazard)

    def arrays(self) -> Arrays:
        """The columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Expectations:
        """The inverse of :meth:`arrays`."""
        return cls(*named_arrays(arrays, *(f.name for f in fields(cls))))

    def rows(self, past: Views, user: Int64, video: Int64) -> Rows:
        """The row of each view (P',) of a past, sorted by user and time; -1 where nothing is known of it.

        It holds for a user's first views alone, up to the first that is another than in the log: what was expected
        later hung on it.
        """
        if not len(past):
            return np.zeros(0, np.int64)
        place = np.arange(len(past))
        new_user = np.diff(past.user, prepend=-1) != 0
        place -= np.maximum.accumulate(np.where(new_user, place, 0))
        within = np.minimum(user, len(self.first) - 1)
        row = self.first[within] + place
        there = (user == within) & (user > 0) & (row < self.end[within])
        row = np.where(there, row, 0)
        for mine, asked in (
            (self.time_ms, past.time_ms),
            (self.video, video),
            (self.exit, past.exit),
            (self.segments, past.segments),
        ):
            there &= mine[row] == asked if len(mine) else False
        strange = np.cumsum(~there)
        before = np.maximum.accumulate(np.where(new_user, strange - ~there, 0))
        return np.where(strange == before, row, -1)

    def of_rows(self, rows: Rows, width: int) -> Float32:
        """Hazards (N, width) of some rows; 0 in segments that were not reached."""
        reached = _reached(self.exit[rows], self.segments[rows])
        found = np.zeros((len(rows), width), np.float32)
        view, s = ragged(reached)
        found[view, s] = self.hazard[self._start[rows][view] + s]
        return found

    @cached_property
    def _start(self) -> Int64:
        """Where the hazards of each view begin."""
        reached = _reached(self.exit, self.segments)
        return np.cumsum(reached) - reached


def _reached(exit_: Codes, segments: Codes) -> Rows:
    """How many segments watched views reached."""
    found: Rows = np.minimum(exit_, segments - 1).astype(np.int64) + 1
    return found
