"""The journal keeps what it has acknowledged, in order, once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from segfeat.log_file import read_interactions
from segmodel.serve.journal import WatchedView
from segmodel.serve.sqlite_journal import SqliteJournal

A = WatchedView("u", "v", 10, 0, 5)
B = WatchedView("u", "w", 10, 7000, 6)


def rows(journal: SqliteJournal, after: int = 0) -> list[tuple[object, ...]]:
    log, _ = journal.read(after)
    return [
        (log.user_ids[u], log.video_ids[v], *numbers)
        for u, v, *numbers in zip(
            log.user, log.video, log.time_ms.tolist(), log.duration_ms.tolist(), log.watch_ms.tolist(), strict=True
        )
    ]


def test_views_come_back_in_order_and_from_any_number_on(journal: Path) -> None:
    book = SqliteJournal(journal)
    assert rows(book) == []
    assert (book.append(B), book.append(A)) == (True, True)
    assert rows(book) == [("u", "w", 10, 7000, 6), ("u", "v", 10, 0, 5)]
    seen = book.read()[1]
    assert (rows(book, seen), book.read(seen)[1]) == ([], seen)
    book.append(WatchedView("x", "v", 11, 0, 5))
    assert rows(book, seen) == [("x", "v", 11, 0, 5)]


def test_the_first_of_duplicates_is_kept(journal: Path) -> None:
    book = SqliteJournal(journal)
    assert book.append(A)
    assert not book.append(WatchedView("u", "v", 10, 0, 999))
    assert rows(book) == [("u", "v", 10, 0, 5)]


def test_connections_see_each_others_views_and_a_closed_journal_opens_again(journal: Path) -> None:
    first, second = SqliteJournal(journal), SqliteJournal(journal)
    first.append(A)
    second.append(B)
    assert rows(first) == rows(second)
    first.close()
    second.close()
    assert len(rows(SqliteJournal(journal))) == 2


def test_other_commands_read_it_while_it_is_written(journal: Path) -> None:
    book = SqliteJournal(journal)
    assert len(read_interactions(journal)) == 0
    for view in (A, B, WatchedView("007", "NA", 2**53 - 1, 0, 2)):
        book.append(view)
    log = read_interactions(journal)
    assert log.user_ids.tolist() == ["u", "007"]
    assert log.video_ids.tolist() == ["v", "w", "NA"]
    assert log.time_ms.tolist() == [10, 10, 2**53 - 1]
    assert log.duration_ms.tolist() == [0, 7000, 0]
    assert log.watch_ms.tolist() == [5, 6, 2]


@pytest.mark.parametrize("name", ["journal.txt", "journal"])
def test_a_name_that_other_commands_could_not_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"must end in \.sqlite or \.db"):
        SqliteJournal(tmp_path / name)


def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "a.db"
    text.write_text("user_id,video_id\n" * 100)
    with pytest.raises(ValueError, match=r"a\.db: cannot be used as a journal"):
        SqliteJournal(text)
    assert text.read_text().startswith("user_id")
    other = tmp_path / "b.db"
    with sqlite3.connect(other) as file:
        file.execute("CREATE TABLE views (something TEXT)")
    with pytest.raises(ValueError, match=r"b\.db: cannot be used as a journal"):
        SqliteJournal(other)
    with pytest.raises(ValueError, match="cannot be used as a journal"):
        SqliteJournal(tmp_path / "nowhere" / "c.db")


def test_a_full_disk_is_an_error_and_not_an_acknowledgement(journal: Path) -> None:
    book = SqliteJournal(journal)
    book.append(A)
    book._file.execute("PRAGMA max_page_count = 1")
    fill = (WatchedView("u" * 500, "v", i, 0, 1) for i in range(1000))
    with pytest.raises(OSError, match="could not be written"):
        any(not book.append(view) for view in fill)
