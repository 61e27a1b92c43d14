"""Reading and judging watch logs: golden files in every format, and files that are wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segfeat.interactions import Categories, Interactions
from segfeat.log_file import read_interactions

HEADER = "user_id,video_id,time_ms,duration_ms,playing_time\n"
ROWS = "7,a,1000,12000,3000\n8,b,1000,5000,5000\n7,b,2000,5000,9000\n"

Log = Callable[..., Interactions]


def written(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows(log: Interactions) -> list[tuple[str, str, int, int, int]]:
    columns = (log.user_ids[log.user], log.video_ids[log.video], log.time_ms, log.duration_ms, log.watch_ms)
    return list(zip(*(c.tolist() for c in columns), strict=True))


GOLDEN = [("7", "a", 1000, 12000, 3000), ("8", "b", 1000, 5000, 5000), ("7", "b", 2000, 5000, 9000)]


# -- formats -----------------------------------------------------------------------------------------------------------


def test_csv(tmp_path: Path) -> None:
    log = read_interactions(written(tmp_path, HEADER + ROWS))
    assert rows(log) == GOLDEN
    assert log.dropped == {}
    assert repr(log) == "<Interactions: 3 views, 2 users, 2 videos>"


def test_gzipped_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROWS).encode()))
    assert rows(read_interactions(path)) == GOLDEN


@pytest.mark.parametrize("id_type", ["int64", "float64", "string"])
def test_parquet_with_ids_of_any_type(tmp_path: Path, id_type: str) -> None:
    table = pd.DataFrame(
        {
            "user_id": pd.Series([7, 8, 7]).astype(id_type),
            "video_id": ["a", "b", "b"],
            "time_ms": [1000, 1000, 2000],
            "duration_ms": [12000, 5000, 5000],
            "playing_time": [3000, 5000, 9000],
        }
    )
    table.to_parquet(tmp_path / "log.parquet")
    assert rows(read_interactions(tmp_path / "log.parquet")) == GOLDEN


@pytest.mark.parametrize("watch", ["playing_time", "play_time_ms", "watch_ms"])
@pytest.mark.parametrize("video", ["video_id", "photo_id"])
def test_column_aliases_in_any_order_beside_other_columns(tmp_path: Path, video: str, watch: str) -> None:
    text = f"tab,{watch},time_ms,{video},duration_ms,user_id\n1,3000,1000,a,12000,7\n"
    assert rows(read_interactions(written(tmp_path, text))) == GOLDEN[:1]


def test_several_files_are_one_log_and_overlapping_rows_count_once(tmp_path: Path) -> None:
    first = written(tmp_path, HEADER + ROWS, "first.csv")
    second = written(tmp_path, HEADER + "7,b,2000,5000,9000\n9,a,5,6,7\n", "second.csv")
    log = read_interactions([first, second])
    assert rows(log) == [*GOLDEN, ("9", "a", 5, 6, 7)]
    assert log.dropped == {"duplicate": 1}


def test_ids_are_compared_as_strings(tmp_path: Path) -> None:
    log = read_interactions(written(tmp_path, HEADER + "07,a,1,9,9\n7,a,1,9,9\n 7 ,a,2,9,9\nNA,null,1,9,9\n"))
    assert log.user_ids.tolist() == ["07", "7", "NA"]
    assert log.video_ids.tolist() == ["a", "null"]
    assert len(log) == 4


def test_a_byte_order_mark_and_commas_at_the_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROWS.replace("\n", ",\n")).encode())
    assert rows(read_interactions(path)) == GOLDEN


ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(str.strip)
numbers = st.integers(1, 2**50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ids, ids, numbers, numbers, numbers), max_size=8))
@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.parquet"])
def test_any_ids_and_whole_numbers_survive(
    tmp_path: Path, name: str, drawn: list[tuple[str, str, int, int, int]]
) -> None:
    columns = HEADER.strip().split(",")
    types = dict.fromkeys(columns[:2], "str") | dict.fromkeys(columns[2:], "int64")
    table = pd.DataFrame(drawn, columns=columns).astype(types)
    table.to_parquet(tmp_path / name) if name.endswith("parquet") else table.to_csv(tmp_path / name, index=False)
    log = read_interactions(tmp_path / name)
    expected = {}
    for user, video, *others in drawn:
        expected.setdefault((user.strip(), video.strip(), others[0]), others[1:])
    assert rows(log) == [(*key, *values) for key, values in expected.items()]
    assert log.dropped == ({"duplicate": repeated} if (repeated := len(drawn) - len(expected)) else {})


# -- rows that are left out --------------------------------------------------------------------------------------------


def test_unreadable_rows_are_counted_by_reason_and_the_first_duplicate_is_kept(tmp_path: Path) -> None:
    text = HEADER + (
        "7,a,1000,12000,3000\n"
        "7,a,1000,12000,99\n"  # duplicate: same user, video and time
        ",a,1,2,3\n"  # no user
        '7,"  ",1,2,3\n'  # no video
        "7,c,soon,2,3\n"  # words
        "7,d,,2,3\n"  # no time
        "7,e,1,inf,3\n"
        "7,f,1,2,1e300\n"
    )
    log = read_interactions(written(tmp_path, text))
    assert rows(log) == GOLDEN[:1]
    assert log.dropped == {"missing id": 2, "unreadable number": 4, "duplicate": 1}


def test_blank_and_negative_durations_and_watch_times_are_unknown(tmp_path: Path) -> None:
    log = read_interactions(written(tmp_path, HEADER + "7,a,1,,5\n7,b,1,5,\n7,c,1,-1,-2\n7,d,1\n"))
    assert log.duration_ms.tolist() == [0, 5, 0, 0]
    assert log.watch_ms.tolist() == [5, 0, 0, 0]


def test_usable_rows_and_each_reason_at_its_edge(make_log: Log) -> None:
    log = make_log(
        ("u", "ok", 1, 1, 199_999),
        ("u", "unknown", 2, 500, 0),
        ("u", "unknown, unwatched", 3, 0, 0),
        ("u", "long", 4, 500, 200_000),
        ("u", "unwatched", 5, 0, 10_000),
    )
    usable = log.usable()
    assert usable.time_ms.tolist() == [1]
    assert usable.dropped == {"unknown duration": 2, "duration of 200 s or more": 1, "no watch time": 1}
    assert log.usable(max_duration_s=200.001).time_ms.tolist() == [1, 4]
    assert log.usable(max_duration_s=np.inf).time_ms.tolist() == [1, 4]
    assert sum(int(m.sum()) for m in log.unusable(watch_needed=False).values()) == 3


def test_usable_adds_to_what_reading_dropped(tmp_path: Path) -> None:
    log = read_interactions(written(tmp_path, HEADER + ROWS + ",a,1,2,3\n9,z,1,0,3\n")).usable()
    assert log.dropped == {"missing id": 1, "unknown duration": 1}


# -- pairs without watch times -----------------------------------------------------------------------------------------


def test_pairs_may_lack_watch_time_and_duration(tmp_path: Path) -> None:
    path = written(tmp_path, "user_id,video_id,time_ms\n7,a,1000\n")
    assert rows(read_interactions(path, watch_needed=False)) == [("7", "a", 1000, 0, 0)]
    with pytest.raises(ValueError, match="duration_ms, playing_time or play_time_ms or watch_ms"):
        read_interactions(path)


# -- files that are wrong ----------------------------------------------------------------------------------------------


def test_missing_columns_are_named_with_the_file_and_what_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, "user_id,clip,time_ms\n1,2,3\n")
    with pytest.raises(ValueError, match="missing") as error:
        read_interactions(path)
    assert str(error.value) == (
        f"{path}: missing column(s) video_id or photo_id, duration_ms, playing_time or play_time_ms or watch_ms; "
        "found user_id, clip, time_ms"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("more-values-than-columns.csv", (HEADER + "7,a,1000,12000,3000,9\n").encode()),
        ("one-row-too-long.csv", (HEADER + "7,a,1,2,3\n7,a,1,2,3,4,5\n").encode()),
        ("latin.csv", HEADER.encode() + b"\xe9,a,1,2,3\n"),
        ("workbook.csv", b"PK\x03\x04 and so on"),
        ("twice.csv", b"user_id,video_id,time_ms,time_ms,duration_ms,playing_time\n7,a,1,1,2,3\n"),
        ("cut.csv.gz", gzip.compress((HEADER + ROWS * 200).encode())[:-12]),
        ("damaged.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x99\x01\xff\xff\xff"),
        ("text.parquet", b"PAR1 but no more PAR1"),
    ],
)
def test_files_that_are_no_log_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a log") as error:
        read_interactions(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_absent_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.csv: no such log file"):
        read_interactions(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match="a folder, where a log file is needed"):
        read_interactions(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_read_as_what_it_is_whatever_its_name(
    tmp_path: Path, separator: str, encoding: str, packed: bool
) -> None:
    content = (HEADER + ROWS).replace(",", separator).encode(encoding)
    path = tmp_path / "log.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    plain = tmp_path / "plain.csv"
    plain.write_text(HEADER + ROWS)
    assert read_interactions(path).fingerprint() == read_interactions(plain).fingerprint()


def test_json_lines_and_parquet_under_another_name_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text(HEADER + ROWS)
    table = pd.read_csv(plain, dtype={"user_id": str, "video_id": str})
    table.to_json(tmp_path / "log.csv", orient="records", lines=True)
    table.to_parquet(tmp_path / "parquet.csv")
    whole = read_interactions(plain).fingerprint()
    assert read_interactions(tmp_path / "log.csv").fingerprint() == whole
    assert read_interactions(tmp_path / "parquet.csv").fingerprint() == whole


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "2024-05-01 10:00:00",
            r"column time_ms holds dates and times, such as '2024-05-01 10:00:00'; needed",
        ),
        ("yesterday", r"column time_ms holds words, such as 'yesterday'"),
    ],
)
def test_dates_in_words_are_named_not_dropped_row_by_row(tmp_path: Path, value: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n" + f"7,a,{value},12000,3000\n" * 3)
    with pytest.raises(ValueError, match=message):
        read_interactions(path)


def test_ids_with_a_fraction_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = {"video_id": [1], "time_ms": [1], "duration_ms": [1], "watch_ms": [1]}
    pd.DataFrame({"user_id": [7.5], **columns}).to_parquet(path)
    with pytest.raises(ValueError, match=r"log\.parquet: column user_id has ids with a fraction"):
        read_interactions(path)


# -- the noun itself ---------------------------------------------------------------------------------------------------


def test_columns_of_unequal_length_and_codes_out_of_range_are_refused() -> None:
    ids, codes, numbers = np.array(["a"], dtype=object), np.zeros(2, np.int32), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="watch_ms"):
        Interactions(ids, ids, codes, codes, numbers, numbers[:1], numbers)
    with pytest.raises(ValueError, match="video codes reach 1"):
        Interactions(ids, ids, codes, codes + 1, numbers, numbers, numbers)


def test_unknown_durations_are_filled_in_and_known_ones_kept(make_log: Log) -> None:
    log = make_log(("u", "a", 1, 5, 0), ("u", "b", 2, 5, 9), ("u", "c", 3, 5, 0))
    assert log.with_durations({"a": 7, "b": 8}).duration_ms.tolist() == [7, 9, 0]


def test_joined_logs_share_id_tables_and_keep_known_rows_once(make_log: Log) -> None:
    first = make_log(("u", "a", 1, 5, 9), ("v", "b", 1, 6, 9))
    second = make_log(("w", "b", 1, 7, 9), ("v", "b", 1, 99, 9), ("u", "c", 1, 8, 9))
    both = first.joined(second)
    assert both.user_ids.tolist() == ["u", "v", "w"]
    assert both.video_ids.tolist() == ["a", "b", "c"]
    assert [(u, v, w) for u, v, _, _, w in rows(both)] == [
        ("u", "a", 5), ("v", "b", 6), ("w", "b", 7), ("u", "c", 8)
    ]  # fmt: skip


def test_compact_drops_unused_ids_and_keeps_the_rows(make_log: Log) -> None:
    log = make_log(("u", "a", 1, 5, 9), ("v", "b", 2, 5, 9), ("w", "c", 3, 5, 9)).take(np.array([2, 0]))
    compact = log.compact()
    assert compact.user_ids.tolist() == ["u", "w"]
    assert compact.video_ids.tolist() == ["a", "c"]
    assert rows(compact) == rows(log)
    assert compact.user.dtype == compact.video.dtype == np.int32


def test_fingerprint_tells_logs_apart(make_log: Log) -> None:
    row = ("u", "a", 1, 5, 9)
    assert make_log(row).fingerprint() == make_log(row).fingerprint()
    others = [("x", "a", 1, 5, 9), ("u", "x", 1, 5, 9), ("u", "a", 2, 5, 9), ("u", "a", 1, 6, 9), ("u", "a", 1, 5, 8)]
    assert len({make_log(r).fingerprint() for r in [row, *others]}) == 6


# -- real files --------------------------------------------------------------------------------------------------------


def test_real_segmm_log(segmm_csv: Path) -> None:
    log = read_interactions(segmm_csv).usable()
    assert repr(log) == "<Interactions: 6,990 views, 29 users, 6,568 videos>"
    assert log.dropped == {}


def test_real_kuairand_log(kuairand_csv: Path) -> None:
    log = read_interactions(kuairand_csv).usable()
    assert repr(log) == "<Interactions: 20,618 views, 508 users, 5,137 videos>"
    assert log.dropped == {
        "duplicate": 80,
        "unknown duration": 5003,
        "duration of 200 s or more": 879,
        "no watch time": 506,
    }


# -- context -----------------------------------------------------------------------------------------------------------

CONTEXT = "user_id,video_id,time_ms,duration_ms,playing_time,tab,user\n"


def test_named_columns_are_kept_as_categories(tmp_path: Path) -> None:
    text = CONTEXT + "7,a,1,9,3,feed,x\n8,b,2,9,3,,x\n7,b,3,9,3,search,y\n7,b,4,9,3,feed,\n"
    log = read_interactions(written(tmp_path, text), context=["tab", "user"])
    assert log.context["tab"].names.tolist() == ["feed", "search"]
    assert log.context["tab"].codes.tolist() == [0, -1, 1, 0]
    assert log.context["user"].codes.tolist() == [0, 0, 1, -1]
    assert log.user_ids.tolist() == ["7", "8"]
    assert log.take(np.array([2, 0])).context["tab"].codes.tolist() == [1, 0]
    assert log.take(log.user == 1).compact().context["tab"].codes.tolist() == [-1]


def test_categories_of_numbers_are_the_same_in_csv_and_parquet(tmp_path: Path) -> None:
    path = written(tmp_path, CONTEXT + "7,a,1,9,3,1,x\n8,b,2,9,3,,x\n")
    pd.read_csv(path).to_parquet(tmp_path / "log.parquet")  # the empty cell makes the column float
    for file in (path, tmp_path / "log.parquet"):
        assert read_interactions(file, context=["tab"]).context["tab"].names.tolist() == ["1"]


def test_an_absent_context_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"log\.csv: missing column\(s\) tab; found user_id"):
        read_interactions(written(tmp_path, HEADER + ROWS), context=["tab"])


def test_joined_logs_share_their_categories(tmp_path: Path) -> None:
    one = read_interactions(written(tmp_path, CONTEXT + "7,a,1,9,3,feed,x\n"), context=["tab"])
    two = read_interactions(written(tmp_path, CONTEXT + "7,a,2,9,3,search,x\n7,a,3,9,3,,x\n"), context=["tab", "user"])
    both = one.joined(two)
    assert both.context["tab"].names.tolist() == ["feed", "search"]
    assert both.context["tab"].codes.tolist() == [0, 1, -1]
    assert both.context["user"].codes.tolist() == [-1, 0, 0]


def test_units_are_converted_and_fractions_rounded(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "7,a,1593878903.438,12.5,3\n")
    log = read_interactions(path, unit_ms={"time_ms": 1000, "duration_ms": 1000, "watch_ms": 1000})
    assert rows(log) == [("7", "a", 1_593_878_903_438, 12_500, 3000)]


def test_context_that_does_not_fit_is_refused() -> None:
    ids, code, n = np.array(["x"], dtype=object), np.zeros(1, np.int32), np.ones(1, np.int64)
    for codes in ([1], [-2], [0, 0]):
        with pytest.raises(ValueError, match="context tab needs 1 codes from -1 to 0"):
            Interactions(ids, ids, code, code, n, n, n, context={"tab": Categories(np.array(codes, np.int32), ids)})
