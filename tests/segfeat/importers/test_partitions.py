"""Logs in partitions: every usable row once, all of a user together, in the order that the in-memory reader gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.importers.partitions import partition_log
from segfeat.interactions import Interactions
from segfeat.log_check import parse_units
from segfeat.log_file import read_interactions
from segfeat.partitioned_log import PartitionedLog, open_partitions, partition_file, partition_of

pytest.importorskip("duckdb", reason="DuckDB is not installed")


def table(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """A log with everything that is wrong with logs: repeated, unreadable, unusable rows, ties, empty ids."""
    made = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.integers(0, 40, rows)],
            "photo_id": [f" v{i} " for i in rng.integers(0, 30, rows)],
            "time_ms": rng.integers(1_600_000_000_000, 1_600_000_000_200, rows).astype(str),
            "duration_ms": rng.choice(["", "0", "9000", "30000", "200000", "199999"], rows),
            "playing_time": rng.choice(["", "-5", "0", "4000", "9000", "25000.0", "many"], rows),
            "other": "x",
        }
    )
    made.loc[3, "user_id"] = ""
    made.loc[4, "time_ms"] = ""
    made.loc[5, "time_ms"] = "inf"
    return made


def rows_of(log: Interactions) -> list[tuple[str, str, int, int, int]]:
    users, videos = log.user_ids[log.user].tolist(), log.video_ids[log.video].tolist()
    numbers = (log.time_ms.tolist(), log.watch_ms.tolist(), log.duration_ms.tolist())
    return list(zip(users, videos, *numbers, strict=True))


@pytest.fixture
def files(tmp_path: Path, rng: np.random.Generator) -> list[Path]:
    first, second = table(rng, 900), table(rng, 700)
    second.iloc[:200] = first.iloc[:200]
    first.to_csv(tmp_path / "a.csv.gz", index=False)
    second.to_parquet(tmp_path / "b.parquet")
    return [tmp_path / "a.csv.gz", tmp_path / "b.parquet"]


@pytest.mark.parametrize("partitions", [1, 7])
def test_the_partitions_hold_what_the_reader_reads(files: list[Path], tmp_path: Path, partitions: int) -> None:
    partition_log(files, tmp_path / "views", partitions=partitions, memory_mb=200, threads=1)
    log, known = open_partitions(tmp_path / "views"), read_interactions(files).usable()
    parts = [rows_of(part) for part in log]
    assert len(log) == len(known) > 100
    assert [len(part) for part in parts] == list(log.views)
    assert log.dropped == known.dropped
    expected = rows_of(known)
    place = {row[:3]: i for i, row in enumerate(expected)}
    assert sorted(row for part in parts for row in part) == sorted(expected)
    users = [{row[0] for row in part} for part in parts]
    assert sum(map(len, users)) == len(set().union(*users))
    for part in parts:
        assert part == sorted(part, key=lambda row: (row[0], row[2], place[row[:3]]))


def test_partitions_are_read_as_any_log_of_their_files(files: list[Path], tmp_path: Path) -> None:
    log = partition_log(files, tmp_path / "views", partitions=4, memory_mb=200, threads=1)
    for numbers in ([0], [2, 1], [0, 1, 2, 3]):
        found = log.read(*numbers)
        known = read_interactions([log.folder / partition_file(k) for k in numbers])
        assert found.fingerprint() == known.fingerprint()
        for name in ("user_ids", "video_ids", "user", "video", "time_ms", "watch_ms", "duration_ms"):
            assert getattr(found, name).dtype == getattr(known, name).dtype


def test_partitions_without_views_are_read_with_others(files: list[Path], tmp_path: Path) -> None:
    """As a small log has them, whose users are fewer than its partitions."""
    log = partition_log(files, tmp_path / "views", partitions=200, memory_mb=200, threads=1, context=["other"])
    assert log.views.count(0) > 150
    found = open_partitions(tmp_path / "views").with_context(["other"]).read(*range(200))
    assert sorted(rows_of(found)) == sorted(rows_of(read_interactions(files).usable()))
    assert set(found.context["other"].names) == {"x"}


def test_units_are_read_and_checked_as_by_the_reader(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 500
    log = pd.DataFrame(
        {
            "user_id": [f"u{i % 50}" for i in range(n)], "video_id": [f"v{i}" for i in rng.integers(0, 30, n)],
            "time_ms": 1_700_000_000 + 60 * np.arange(n) + 0.25, "duration_ms": 21.5,
            "playing_time": rng.integers(1, 40, n) / 2,
        }
    )  # fmt: skip
    log.to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match=r"time_ms is in seconds since 1970.*--unit time=s"):
        partition_log(tmp_path / "log.csv", tmp_path / "views")
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]
    unit_ms = parse_units(("s",))
    written = partition_log(tmp_path / "log.csv", tmp_path / "views", partitions=3, unit_ms=unit_ms)
    known = read_interactions(tmp_path / "log.csv", unit_ms=unit_ms).usable()
    assert sorted(rows_of(written.read(0, 1, 2))) == sorted(rows_of(known))
    assert known.duration_ms[0] == 21_500


def test_context_columns_come_along_as_the_reader_reads_them(tmp_path: Path, rng: np.random.Generator) -> None:
    names = ["tab", "part", 'wh"at', "score", "page", "nothing"]
    for k, file in enumerate(("a.csv", "b.parquet")):
        made = table(rng, 500).assign(
            tab=rng.choice(["feed", " search ", "", None], 500),
            part=rng.integers(0, 3, 500),
            **{'wh"at': rng.choice(["x", "ü y"], 500)},
            score=rng.choice([0.5, 1.0, np.nan], 500),
            page=rng.choice([1.0, 2.0, np.nan], 500),
            nothing=None,
        )
        made.to_csv(tmp_path / file, index=False) if k == 0 else made.to_parquet(tmp_path / file)
    for file in ("a.csv", "b.parquet"):
        folder = tmp_path / f"{file}.views"
        log = partition_log(tmp_path / file, folder, partitions=5, threads=1, context=names)
        assert log == open_partitions(folder)
        known = read_interactions(tmp_path / file, context=names).usable()

        def rows(log: Interactions) -> list[tuple[object, ...]]:
            context = [
                [column.names[code] if code >= 0 else None for code in column.codes] for column in log.context.values()
            ]
            return sorted(zip(rows_of(log), *context, strict=True), key=repr)

        assert {*known.context} == {*names}
        assert rows(log.read(*range(5))) == rows(known)
        some = log.with_context(["part"])
        assert [*some.read(0).context] == [*some.of_users(["u1"]).context] == ["part"]
        with pytest.raises(ValueError, match="no context column 'page number'; there are: tab, part"):
            log.with_context(["page number"])
    with pytest.raises(ValueError, match=r"missing column\(s\) elsewhere; found user_id"):
        partition_log(tmp_path / "a.csv", tmp_path / "no", context=["elsewhere"])
    with pytest.raises(ValueError, match="time_ms of a view cannot be context"):
        partition_log(tmp_path / "a.csv", tmp_path / "no", context=["time_ms"])
    assert not (tmp_path / "no").exists()


def test_a_partition_that_is_none_is_named(files: list[Path], tmp_path: Path) -> None:
    log = partition_log(files, tmp_path / "views", partitions=2, memory_mb=200, threads=1)
    path = log.folder / partition_file(1)
    whole = pd.read_parquet(path)
    for table, message in (
        (whole.drop(columns="time_ms"), "time_ms"),
        (whole.assign(watch_ms=whole.watch_ms.astype(float)), "column watch_ms is missing, has gaps or another type"),
        (whole.assign(user_id=1), "column user_id"),
        (whole.assign(video_id=whole.video_id.where(whole.index != 3)), "column video_id"),
    ):
        table.to_parquet(path)
        with pytest.raises(ValueError, match=f"{path.name}.*{message}"):
            log.read(0, 1)
        assert len(log.read(0)) == log.views[0]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=f"{path.name}: cannot be read as a partition of a log"):
        log.read(1)
    path.unlink()
    with pytest.raises(ValueError, match=f"{path.name}: cannot be read as a partition of a log"):
        log.read(1)


def test_where_a_user_is_follows_from_the_id_alone(tmp_path: Path) -> None:
    header = "user_id,video_id,time_ms,duration_ms,watch_ms\n"
    (tmp_path / "one.csv").write_text(header + "ä,v,1,9000,500\n")
    (tmp_path / "two.csv").write_text(
        header + "".join(f"u{i},w,{i},9000,500\n" for i in range(50)) + "ä,v,2,9000,500\n"
    )
    where = []
    for name in ("one", "two"):
        log = partition_log(tmp_path / f"{name}.csv", tmp_path / name, partitions=5)
        where.append([k for k, part in enumerate(log) if "ä" in part.user_ids.tolist()])
    assert where[0] == where[1]
    assert len(where[0]) == 1


def test_what_cannot_be_partitioned_is_refused_and_leaves_nothing(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("user_id,video_id,time_ms\nu,v,1\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 no more")
    for name, message in (
        ("short.csv", r"short.csv: missing column\(s\) duration_ms, playing_time or play_time_ms or watch_ms"),
        ("torn.parquet", "torn.parquet"),
        ("absent.csv", "absent.csv: no such log file"),
    ):
        with pytest.raises(ValueError, match=message):
            partition_log([*files, tmp_path / name], tmp_path / "views")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith("views")]
    partition_log(files, tmp_path / "views", partitions=2)
    with pytest.raises(ValueError, match="exists already"):
        partition_log(files, tmp_path / "views")
    (tmp_path / "views/views.json").unlink()
    with pytest.raises(ValueError, match="no complete log"):
        open_partitions(tmp_path / "views")


def test_the_views_of_some_users_are_read_from_their_partitions_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"ü{i}" for i in range(40)]
    pd.DataFrame(
        {"user_id": users * 2, "video_id": "v", "time_ms": range(80), "duration_ms": 9000, "watch_ms": 1000}
    ).to_csv(tmp_path / "log.csv", index=False)
    log = partition_log(tmp_path / "log.csv", tmp_path / "views", partitions=7, threads=1)
    for k, part in enumerate(log):
        assert {partition_of(user, 7) for user in part.user_ids.tolist()} <= {k}
    read, original = list[int](), PartitionedLog.read
    monkeypatch.setattr(PartitionedLog, "read", lambda self, k: read.append(k) or original(self, k))
    found = log.of_users(["ü3", "ü11", "nobody"])
    assert sorted(zip(found.user_ids[found.user], found.time_ms.tolist(), strict=True)) == [
        ("ü11", 11), ("ü11", 51), ("ü3", 3), ("ü3", 43),
    ]  # fmt: skip
    assert set(read) <= {partition_of(user, 7) for user in ("ü3", "ü11", "nobody")}
    assert len(log.of_users([])) == 0


def test_equal_folders_have_equal_fingerprints(tmp_path: Path) -> None:
    for name, watch_ms in (("a", 1), ("b", 1), ("c", 2)):
        pd.DataFrame(
            {"user_id": ["u", "w"], "video_id": "v", "time_ms": 5, "duration_ms": 9000, "watch_ms": watch_ms}
        ).to_csv(tmp_path / f"{name}.csv", index=False)
    a, b, c = (partition_log(tmp_path / f"{n}.csv", tmp_path / n, partitions=3, threads=1).fingerprint() for n in "abc")
    assert a == b != c
