"""UserHistories: what every user has watched, according to log and journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from segfeat.interactions import Ids, Interactions
from segmodel.data.views import VIEW_COLUMNS, Views
from segmodel.runs.data import RunData
from segmodel.serve.journal import Journal
from segmodel.serve.lru_cache import LruCache
from segmodel.serve.video_ids import VideoTable

RECENT_VIEWS = 200_000
"""Pasts of so many views together are kept, and with them what models remember of them."""

_USER_VIEWS = 30
"""What a model remembers of a user besides weighs as much as that of so many views."""


@dataclass(frozen=True, eq=False)
class UserHistory:
    """One user's watched views.

    Attributes
    ----------
    views : Views
        Sorted by time; one user over the table of all videos.
    last_ms : int
        Time of the newest view known of, usable or not; -1 where there is none.
    """

    views: Views
    last_ms: int


class UserHistories:
    """Pasts of all users: slices of the log, and for those with newer views what has grown out of them.

    Parameters
    ----------
    data : RunData
        What the run knows; log and history are where every past begins.
    journal : Journal
        Read at once, and again with every :meth:`refresh`.
    hear : callable, optional
        Told of a past handed out and the one that takes its place.
    """

    def __init__(
        self,
        data: RunData,
        journal: Journal,
        hear: Callable[[Views, Views], None] | None = None,
    ) -> None:
        self._data, self._journal, self._hear = data, journal, hear
        events, self.seen = journal.read()
        # Joining is what drops events that the log has as well, here as in every other command.
        known = data.known.joined(events)
        self._views = data.views(known)
        users = np.arange(len(known.user_ids) + 1)
        self._slices = np.searchsorted(self._views.user, users)
        self._user = {v: i for i, v in enumerate(known.user_ids.tolist())}
        self._order = np.argsort(known.user, kind="stable")
        self._rows = np.searchsorted(known.user[self._order], users)
        self._time_ms, self._video = known.time_ms[self._order], known.video[self._order]
        self._grown: dict[str, UserHistory] = {}
        self._new_users = 0
        self._recent: LruCache[UserHistory] = LruCache(RECENT_VIEWS, weigh=lambda past: len(past.views) + _USER_VIEWS)
        outside = [v for v in data.store if v not in set(known.video_ids.tolist())]
        self.table = VideoTable(np.concatenate([known.video_ids, np.array(outside, dtype=object)]))

    def __len__(self) -> int:
        """Number of users."""
        return len(self._user) + self._new_users

    def users(self, limit: int) -> list[str]:
        """Users with the most views, the busiest first."""
        counts = np.diff(self._slices)
        ids = self._views.user_ids
        busiest: list[str] = ids[np.argsort(-counts, kind="stable")[:limit]].tolist()
        return busiest

    def anybody(self) -> Views:
        """One view of somebody, to stand where a user has none: models may look up a row that no history reaches."""
        return self._of_one(self._views.take(np.arange(min(1, len(self._views)))), "")

    def of(self, user_id: str) -> UserHistory:
        """What a user has watched; nothing where nobody knows them.

        As long as nothing new is known the same object comes back, so that a model can keep what it makes of it.
        """
        return self._recent.get(user_id, lambda: self._make(user_id))

    def _make(self, user_id: str) -> UserHistory:
        grown = self._grown.get(user_id)
        if grown is not None:
            # The table may have grown since.
            return replace(grown, views=replace(grown.views, video_ids=self.table.ids))
        code = self._user.get(user_id)
        if code is None:
            return self.explicit(Interactions.empty(), user_id, {})
        rows = slice(self._slices[code], self._slices[code + 1])
        return UserHistory(
            self._of_one(self._views.take(rows), user_id),
            int(self._time_ms[self._rows[code] : self._rows[code + 1]].max(initial=-1)),
        )

    def explicit(self, history: Interactions, user_id: str, visitors: dict[str, int]) -> UserHistory:
        """The past that a request brings along; its unknown videos are added to ``visitors``."""
        views = self._data.views(history)
        codes = self.table.codes(history.video_ids.tolist(), visitors)
        return UserHistory(
            self._of_one(replace(views, video=codes[views.video]), user_id), int(history.time_ms.max(initial=-1))
        )

    def refresh(self) -> int:
        """Take in what the journal has got since; the number of new views."""
        events, self.seen = self._journal.read(self.seen)
        if not len(events):
            return 0
        table = self.table.ids
        videos = self.table.learn(events.video_ids.tolist())
        if self.table.ids is not table:
            self._recent.clear()
        events = events.take(~self._in_log(events, videos))
        fresh = self._data.views(events)
        fresh = replace(fresh, video=videos[fresh.video])
        for code in np.unique(events.user).tolist():
            user_id = str(events.user_ids[code])
            recent = self._recent.drop(user_id)
            past = self._make(user_id) if recent is None else recent
            views = _merged(past.views, fresh.take(fresh.user == code))
            last_ms = max(past.last_ms, int(events.time_ms[events.user == code].max()))
            self._new_users += user_id not in self._user and user_id not in self._grown
            grown = self._grown[user_id] = UserHistory(self._of_one(views, user_id), last_ms)
            if recent is not None:
                self._recent.put(user_id, grown)
                if self._hear is not None:
                    self._hear(recent.views, grown.views)
        return len(events)

    def _in_log(self, events: Interactions, videos: Sequence[int] | np.ndarray) -> np.ndarray:
        known = np.zeros(len(events), dtype=bool)
        for i, (user, video, time_ms) in enumerate(zip(events.user, events.video, events.time_ms, strict=True)):
            code = self._user.get(str(events.user_ids[user]))
            if code is not None:
                rows = slice(self._rows[code], self._rows[code + 1])
                known[i] = ((self._time_ms[rows] == time_ms) & (self._video[rows] == videos[video])).any()
        return known

    def _of_one(self, views: Views, user_id: str) -> Views:
        """The views as those of the only user of a table."""
        user_ids: Ids = np.array([user_id], dtype=object)
        return replace(views, user_ids=user_ids, video_ids=self.table.ids, user=np.zeros(len(views), dtype=np.int32))


def _merged(first: Views, second: Views) -> Views:
    """Views of both, by time; where times are equal, those of ``first`` come first."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in VIEW_COLUMNS
    }
    both = replace(first, **columns, context=first.joined_context(second))
    return both.take(np.argsort(columns["time_ms"], kind="stable"))
