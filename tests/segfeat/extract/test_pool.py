"""Worker processes: order, bounds, and what hangs or dies costs one file."""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from segfeat.pipeline.messages import Closed, Failed, SegmentItems
from segfeat.pipeline.pool import ReaderPool, Task
from segfeat.pipeline.sources import Source
from tests.segfeat.extract import tasks

Make = Callable[[str], Source]


def read_all(
    task: Task, sources: Sequence[Source], workers: int = 2, timeout_s: float = 30.0
) -> list[tuple[str, list[SegmentItems], Closed | Failed | None]]:
    with ReaderPool(task, sources, workers, timeout_s) as pool:
        return [(arrival.source.path, list(arrival), arrival.end) for arrival in pool]


def children() -> set[int]:
    me = os.getpid()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == me and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def test_files_come_in_order_with_all_their_segments(source: Make) -> None:
    names = [f"{i}" if i % 3 else "slow" for i in range(12)]
    before = children()
    got = read_all(tasks.tell, [source(name) for name in names], workers=3)
    assert [path for path, _, _ in got] == names
    for path, segments, end in got:
        assert end == Closed()
        assert [s.text for s in segments] == [f"{path} {k}" for k in range(3)]
        assert [float(s.items["visual"][0]) for s in segments] == [0, 1, 2]
    assert children() == before


def test_trouble_costs_its_file_alone(source: Make) -> None:
    names = ["a", "hang", "b", "hold", "c", "crash", "d", "leave", "fail", "eat", "e"]
    got = {path: (segments, end) for path, segments, end in read_all(tasks.tell, [*map(source, names)], 2, 1.0)}
    assert list(got) == names
    for name in "abcde":
        assert len(got[name][0]) == 3
        assert got[name][1] == Closed()
    ends = {name: end for name, (segments, end) in got.items() if not segments}
    codes = {name: end.code for name, end in ends.items() if isinstance(end, Failed)}
    assert codes == {
        "hang": "timeout", "hold": "timeout", "crash": "crashed", "leave": "crashed", "fail": "internal",
        "eat": "internal",
    }  # fmt: skip
    assert str(ends["hang"]).count("no progress in 1 s") == 1
    assert "SIGSEGV: something broke" in str(ends["crash"])
    assert "status 7" in str(ends["leave"])
    assert "RuntimeError: no such thing" in str(ends["fail"])
    assert "out of memory" in str(ends["eat"])


@pytest.mark.parametrize("what", ["2-hang", "2-crash", "2-fail"])
def test_a_short_file_that_fails_half_way_leaves_no_segments(source: Make, what: str) -> None:
    got = read_all(tasks.tell, [source("a"), source(what), source("b")], workers=1, timeout_s=1.0)
    assert [len(segments) for _, segments, _ in got] == [3, 0, 3]
    assert isinstance(got[1][2], Failed)


def test_what_waits_for_the_encoders_is_bounded(source: Make) -> None:
    """Two files of 100 MB, and a consumer that takes its time: never more than the bound is held, nothing times out."""
    with ReaderPool(tasks.long_tell, [source("a"), source("b")], 2, timeout_s=0.5) as pool:
        most = 0
        for arrival in pool:
            count = 0
            for number, segment in enumerate(arrival):
                if number == 30:
                    time.sleep(0.8)  # longer than the timeout: waiting for us is no hang
                most = max(most, sum(a.held_bytes for a in pool._order))
                count += 1
                del segment
            assert count == 100
            assert arrival.end == Closed()
    assert 24e6 < most < 64e6


def test_tiny_files_do_not_pile_up(source: Make) -> None:
    with ReaderPool(tasks.tell, [source(f"x{i}") for i in range(100)], 1, 30.0) as pool:
        arrivals = iter(pool)
        list(next(arrivals))
        time.sleep(0.5)
        assert len(pool._order) <= 9
        assert sum(1 for arrival in arrivals if list(arrival)) == 99


def test_workers_stay_light_and_single_threaded(source: Make) -> None:
    [(_, [segment], _)] = read_all(tasks.who, [source("a")])
    pid, threads, *modules = segment.text.split(" ")
    assert int(pid) != os.getpid()
    assert threads == "1"
    assert "av" in modules
    assert not {"torch", "pandas", "h5py", "scipy", "open_clip"} & set(modules)


def test_closing_early_ends_workers_and_thread_and_leaks_nothing(source: Make) -> None:
    gc.collect()  # of what earlier tests have left open
    before, threads, files = children(), threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with ReaderPool(tasks.tell, [source("a"), source("hang"), source("hold")], 3, 60.0) as pool:
            assert list(next(iter(pool)))
            assert children() > before
    gc.collect()
    assert children() == before
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files


def test_more_workers_than_files_are_not_started(source: Make) -> None:
    before = children()
    with ReaderPool(tasks.tell, [source("hang")], 8, 60.0):
        time.sleep(0.3)
        assert len(children() - before) == 1


def test_no_files_no_workers() -> None:
    assert read_all(tasks.tell, []) == []


def test_workers_that_cannot_start_are_an_error_with_their_last_words(
    source: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segfeat.pipeline.process._BOOT", "import no_such_module")
    with pytest.raises(ChildProcessError, match=r"die as they start.*no_such_module"):
        read_all(tasks.tell, [source("a")])


def test_processes_do_not_write_core_files(source: Make) -> None:
    assert resource.getrlimit(resource.RLIMIT_CORE) is not None
    [(_, _, end)] = read_all(tasks.tell, [source("crash")], 1)
    assert isinstance(end, Failed)
    assert not list(Path.cwd().glob("core*"))


def test_what_a_file_leaves_behind_is_gone_before_the_next(source: Callable[[str], Source]) -> None:
    """Or the memory of decoders would grow with the number of files."""
    with ReaderPool(tasks.hoard, [source(f"x{i}") for i in range(4)], 1, timeout_s=60.0) as pool:
        left = [[segment.text for segment in arrival] for arrival in pool]
    assert left == [["0"]] * 4
