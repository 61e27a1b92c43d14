"""Pasts grown event by event equal pasts read at once; ids keep their places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.views import VIEW_COLUMNS, Views
from segmodel.runs.config import RunConfig
from segmodel.runs.data import RunData
from segmodel.serve.journal import WatchedView
from segmodel.serve.lru_cache import LruCache
from segmodel.serve.sqlite_journal import SqliteJournal
from segmodel.serve.user_history import UserHistories, UserHistory
from segmodel.serve.video_ids import VideoTable


@pytest.fixture
def make_pasts(home: Path, base_log: Interactions, journal: Path) -> Callable[[], UserHistories]:
    store = FeatureStore(home / "feats.h5")
    config = RunConfig(store=str(store.path), model="hazard")
    return lambda: UserHistories(RunData(config, store, base_log), SqliteJournal(journal))


def known(past: UserHistory) -> list[tuple[object, ...]]:
    views = past.views
    names = views.video_ids[views.video].tolist()
    columns = [getattr(views, c).tolist() for c in VIEW_COLUMNS if c not in ("user", "video", "log_row")]
    return [*zip(names, *columns, strict=True)]


def test_events_one_by_one_give_what_reading_them_at_once_gives(
    make_pasts: Callable[[], UserHistories], base_log: Interactions, journal: Path, rng: np.random.Generator
) -> None:
    pasts, book = make_pasts(), SqliteJournal(journal)
    old = list(zip(base_log.user.tolist(), base_log.video.tolist(), base_log.time_ms.tolist(), strict=True))
    for i in range(60):
        user, video, time_ms = old[rng.integers(len(old))]
        if i % 3:  # every third is in the log already
            user, video, time_ms = int(rng.integers(13)), int(rng.integers(25)), int(rng.integers(2_000_000))
        # Some are too long to be used, but still the last that is known of their user.
        duration_ms = int(rng.choice([0, 400_000]))
        book.append(WatchedView(f"u{user}", f"v{video}", time_ms, duration_ms, int(rng.integers(1, 30_000))))
        if rng.random() < 0.7:
            pasts.refresh()
    pasts.refresh()
    fresh = make_pasts()
    for user in range(14):
        grown, read = pasts.of(f"u{user}"), fresh.of(f"u{user}")
        assert known(grown) == known(read)
        assert grown.last_ms == read.last_ms
    assert len(pasts) == len(fresh)
    assert sum(len(pasts.of(f"u{u}").views) for u in range(10)) > len(base_log)


def test_a_past_is_the_same_object_until_something_new_is_known(
    make_pasts: Callable[[], UserHistories], journal: Path
) -> None:
    pasts = make_pasts()
    one, other = pasts.of("u1"), pasts.of("u2")
    SqliteJournal(journal).append(WatchedView("u1", "v1", 1, 0, 1000))
    assert pasts.of("u1") is one
    assert pasts.refresh() == 1
    assert pasts.of("u1") is not one
    assert pasts.of("u2") is other
    assert len(pasts.of("u1").views) == len(one.views) + 1
    assert pasts.refresh() == 0


def test_a_past_handed_out_is_told_of_when_it_grows(home: Path, base_log: Interactions, journal: Path) -> None:
    told: list[tuple[Views, Views]] = []
    config, store, book = RunConfig(store="", model="hazard"), FeatureStore(home / "feats.h5"), SqliteJournal(journal)
    pasts = UserHistories(RunData(config, store, base_log), SqliteJournal(journal), lambda *pair: told.append(pair))
    one = pasts.of("u1")
    for time_ms in (9_000_000, 1):
        for user in ("u1", "u2"):
            book.append(WatchedView(user, "v1", time_ms, 0, 1000))
        pasts.refresh()
    last = pasts.of("u1")
    assert [(a, b) for a, b in told] == [(one.views, told[0][1]), (told[0][1], last.views)]
    assert one.views.unchanged(told[0][1]) == len(one.views)
    assert told[0][1].unchanged(last.views) == 0
    assert len(last.views) == len(one.views) + 2


def test_unknown_users_have_an_empty_past(make_pasts: Callable[[], UserHistories]) -> None:
    pasts = make_pasts()
    past = pasts.of("nobody")
    assert (len(past.views), past.last_ms) == (0, -1)
    assert past.views.user_ids.tolist() == ["nobody"]
    assert past.views.video_ids is pasts.table.ids


def test_videos_keep_their_places_while_the_table_grows(
    make_pasts: Callable[[], UserHistories], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmodel.serve.video_ids.SPARE", 8)
    pasts, book = make_pasts(), SqliteJournal(journal)
    ids = pasts.table.ids
    book.append(WatchedView("u1", "new", 5_000_000, 9000, 1000))
    pasts.refresh()
    assert pasts.table.ids is ids
    before = pasts.of("u1").views
    for i in range(8):
        book.append(WatchedView("u2", f"newer {i}", 5_000_000, 9000, 1000))
    pasts.refresh()
    assert pasts.table.ids is not ids
    after = pasts.of("u1").views
    assert after.video.tolist() == before.video.tolist()
    assert after.video_ids is pasts.table.ids
    assert pasts.of("u2").views.video.max() < len(pasts.table.ids)


def test_videos_of_one_request_are_told_apart_and_forgotten() -> None:
    table = VideoTable(np.array(["a", "b"], dtype=object))
    (new,) = table.learn(["c"])
    visitors: dict[str, int] = {}
    first = table.codes(["x", "a", "c", "y"], visitors).tolist()
    assert table.codes(["y", "x", "b"], visitors).tolist() == [first[3], first[0], 1]
    assert first[1:3] == [0, new]
    assert len({*first, 1}) == 5
    assert table.codes(["z"], {}).tolist() == [first[0]]
    assert table.ids[first[0]] == table.ids[new] == ""


def test_recent_forgets_what_was_not_asked_for_the_longest() -> None:
    made = []

    def make(name: str) -> Callable[[], str]:
        return lambda: made.append(name) or name  # type: ignore[func-returns-value]

    recent: LruCache[str] = LruCache(6, weigh=len)
    for name in ("ab", "cd", "ab", "ef", "ab", "cd"):
        assert recent.get(name, make(name)) == name
    assert made == ["ab", "cd", "ef", "cd"]
    assert (len(recent), recent.weight) == (2, 6)
    recent.get("a value too heavy", make("a value too heavy"))
    assert len(recent) == 1
    recent.get("ab", make("ab"))
    assert (len(recent), recent.weight) == (1, 3)
    recent.clear()
    assert (len(recent), recent.weight) == (0, 0)
