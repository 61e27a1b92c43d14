"""Whatever stops an extraction, the same command goes on and ends with the same store; and nothing is left behind."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

import segfeat
from segfeat.decode import DECODERS
from segfeat.extraction import ExtractSummary
from segfeat.pipeline import shard as shards
from segfeat.pipeline.job import job_folder
from segfeat.store.reader import open_store
from segfeat_cli.segfeat import segfeat as segfeat_group

PROGRAM = """
import faulthandler, resource, signal, sys
faulthandler.register(signal.SIGUSR1)
from segfeat.decode import DECODERS
from segfeat.pipeline import shard
DECODERS["troubled"] = "tests.segfeat.extract.tasks:TroubledReader"
shard.SHARD_VIDEOS = 2
limit = int(sys.argv.pop(1))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
from segfeat_cli.segfeat import main
main()
"""
"""The command with small shards, a decoder that can be slow and worse, and perhaps a limit on the size of files."""

Copies = Callable[..., Path]


class Extraction:
    """A ``segfeat extract`` in a process group of its own."""

    def __init__(self, folder: Path, out: Path, *options: str, limit_bytes: int = 0, root: Path) -> None:
        usual = ["--preset", "offline", "--audio", "none", "--text", "none", "--workers", "2", "--decoder", "troubled"]
        command = [sys.executable, "-c", PROGRAM, str(limit_bytes), "extract", str(folder), "-o", str(out)]
        self.out = out
        self.process = subprocess.Popen(
            [*command, *usual, *options],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def shards(self) -> list[str]:
        """Names of the finished shards."""
        return sorted(p.name for p in job_folder(self.out).glob("shard-*.h5"))

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 240.0) -> None:
        """Wait until something holds, or the process has ended; says where it stands if it never does."""
        end_s = time.monotonic() + timeout_s
        while not condition() and self.process.poll() is None:
            if time.monotonic() > end_s:
                os.kill(self.process.pid, signal.SIGUSR1)
                time.sleep(1.0)
                self.signal(signal.SIGKILL)
                pytest.fail("waited in vain\n" + self.end()[2])
            time.sleep(0.02)

    def last(self, seconds: float) -> None:
        """Let it run for so long, or to its end."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: exit status, what it said and what it complained of."""
        said, complained = self.process.communicate(timeout=120)
        return self.process.returncode, said, complained

    def workers(self) -> list[int]:
        """Decode processes that this one has started and that are alive."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            # python -c BOOT socket parent ...
            if len(arguments) > 4 and b"segfeat.pipeline.worker" in arguments[2]:
                found += [int(entry.name)] * (arguments[4] == str(self.process.pid).encode())
        return found

    def shared_memory(self) -> set[str]:
        """Files of shared memory that it and its decode processes have mapped or open."""
        found: set[str] = set()
        for pid in [self.process.pid, *self.workers()]:
            with suppress(OSError):  # it may end meanwhile
                found |= set(re.findall(r"/dev/shm/\S+", Path(f"/proc/{pid}/maps").read_text()))
                links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
                found |= {link for link in links if link.startswith("/dev/shm/")}
        return found

    def expect_no_workers(self) -> None:
        """No orphan: what had to die dies, though nobody tells it to any more."""
        end_s = time.monotonic() + 60.0
        while left := self.workers():
            assert time.monotonic() < end_s, f"orphans: {left}"
            time.sleep(0.02)


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Extraction]]:
    """A function that starts an extraction; what is still running at the end of the test is killed."""
    started: list[Extraction] = []

    def begin(folder: Path, out: Path, *options: str, limit_bytes: int = 0) -> Extraction:
        started.append(Extraction(folder, out, *options, limit_bytes=limit_bytes, root=root))
        return started[-1]

    yield begin
    for extraction in started:
        if extraction.process.poll() is None:
            extraction.signal(signal.SIGKILL)
        extraction.process.communicate()


Start = Callable[..., Extraction]

NAMES = [f"{i:02}-slow.mp4" for i in range(6)] + [f"{i:02}.mp4" for i in range(6, 13)]


@pytest.fixture(scope="module")
def uninterrupted(films: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of a store of all of NAMES that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    for name in NAMES:
        shutil.copy2(films / "mute.mp4", folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DECODERS, "troubled", "tests.segfeat.extract.tasks:TroubledReader")
        segfeat.extract(
            folder, folder / "f.h5", preset="offline", audio="none", text="none", decoder="troubled", workers=3
        )
    with open_store(folder / "f.h5") as store:
        return store.content_hash


@pytest.fixture
def same_again(run: Callable[..., ExtractSummary], troubled: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """What the command of PROGRAM does, in this process."""
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 2)
    return lambda folder, out, **options: run(folder, out, decoder=troubled, workers=2, **options)


Run = Callable[..., ExtractSummary]


def told(*arguments: object) -> str:
    """What a quick command prints."""
    return CliRunner().invoke(segfeat_group, list(map(str, arguments))).output


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# -- kill -9 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_killed_at_random_moments_it_ends_with_the_same_store(
    copies: Copies, tmp_path: Path, start: Start, uninterrupted: str, content: Callable[[Path], str], kills: int
) -> None:
    """Killed at any moment from the start of the process to its end; whenever one ends by itself, it starts anew."""
    folder, out, moments = copies(*NAMES), tmp_path / "f.h5", random.Random(7)
    begun_s = time.monotonic()
    assert start(folder, out).end()[0] == 0
    whole_s = time.monotonic() - begun_s
    killed = stores = 0
    finished = list[str]()
    out.unlink()
    while killed < kills or not out.exists():
        extraction = start(folder, out)
        if killed < kills:
            extraction.last(moments.uniform(0.0, 1.2 * whole_s))
        memory = extraction.shared_memory()
        if killed < kills and extraction.process.poll() is None:
            extraction.signal(signal.SIGKILL)
            killed += 1
        status, said, _ = extraction.end()
        extraction.expect_no_workers()
        assert not [name for name in memory if os.path.exists(name)]
        if status == 0:
            stores += 1
            assert content(out) == uninterrupted
            assert left_in(tmp_path) == ["f.h5", "videos"]
            [unread] = re.findall(r"unchanged  (\d+) files", said) or ["0"]
            assert int(unread) >= 2 * len(finished) - 1  # two videos a shard, of which the last has one
            finished = []
            if killed < kills:
                out.unlink()
        elif not out.exists():
            assert set(finished) <= set(extraction.shards())
            finished = extraction.shards()
    print(f"{killed} kills, {stores} stores finished in between, all the same")


def test_workers_die_with_a_parent_that_is_killed_alone(copies: Copies, tmp_path: Path, start: Start) -> None:
    """Even one that hangs in such a way that no line of Python runs in it any more."""
    extraction = start(copies("hold.mp4"), tmp_path / "f.h5")
    extraction.wait_for(extraction.workers)
    time.sleep(1.0)  # it hangs by now
    os.kill(extraction.process.pid, signal.SIGKILL)
    extraction.end()
    extraction.expect_no_workers()


def test_killed_while_merging_the_old_store_stays_and_nothing_is_read_again(
    copies: Copies, tmp_path: Path, run: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if killed there: the merge is broken off, and its unfinished file left as a killed process leaves it."""
    out, folder = tmp_path / "f.h5", copies("a.mp4", "b.mp4")
    run(folder, out)
    before = out.read_bytes()
    copies("c.mp4", "d.mp4")

    class Killed(BaseException):
        pass

    def broken(parts: object, path: Path, *_: object) -> None:
        path.with_name(f"{path.name}.{os.uname().nodename}-1{'.writing'}").write_bytes(b"half")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("segfeat.pipeline.run.merge_stores", broken)
        with pytest.raises(Killed):
            run(folder, out)
    assert out.read_bytes() == before
    summary = run(folder, out)
    assert summary.progress.videos_done == 0  # type: ignore[attr-defined]
    assert summary.videos == 4  # type: ignore[attr-defined]
    assert left_in(tmp_path) == ["f.h5", "videos"]


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_finishes_the_shard_in_work_and_says_how_to_go_on(
    copies: Copies,
    tmp_path: Path,
    start: Start,
    same_again: Run,
    uninterrupted: str,
    content: Callable[[Path], str],
    number: int,
) -> None:
    folder, out = copies(*NAMES), tmp_path / "f.h5"
    extraction = start(folder, out)
    extraction.wait_for(extraction.shards)
    had = len(extraction.shards())
    time.sleep(0.05)  # the next shard is in work
    extraction.signal(number)
    status, _, complained = extraction.end()
    assert status == 130
    assert "finishing the shard in work; press Ctrl-C again" in complained
    assert "run the same command again" in complained
    assert "Traceback" not in complained
    assert had < len(extraction.shards()) < 7
    extraction.expect_no_workers()
    assert not [name for name in left_in(job_folder(out)) if name.endswith(".writing")]

    kept = 2 * len(extraction.shards())
    assert same_again(folder, out).progress.videos_before == kept
    assert content(out) == uninterrupted


def test_a_second_interruption_stops_at_once(copies: Copies, tmp_path: Path, start: Start) -> None:
    extraction = start(copies("hang.mp4"), tmp_path / "f.h5")
    extraction.wait_for(extraction.workers)
    time.sleep(0.5)
    extraction.signal(signal.SIGINT)
    time.sleep(0.5)
    assert extraction.process.poll() is None
    extraction.signal(signal.SIGINT)
    status, _, complained = extraction.end()  # which waits for less than the file hangs
    assert status == 130
    assert "Traceback" not in complained
    extraction.expect_no_workers()
    assert left_in(tmp_path) == ["videos"]  # nothing was finished, so nothing is kept


# -- the disk ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_stops_clearly_and_keeps_what_is_finished(
    copies: Copies, films: Path, tmp_path: Path, start: Start, same_again: Run, content: Callable[[Path], str]
) -> None:
    folder, out = copies("a.mp4", "b.mp4", "c.mp4"), tmp_path / "f.h5"
    (folder / "d.mkv").symlink_to(films / "long.mkv")
    options = ("--segment-seconds", "0.1")  # the last shard has 120 segments more than the first
    same_again(folder, tmp_path / "whole.h5", segment_s=0.1)
    sizes = [40_000, 94_000]  # too little for the second shard; too little for the store
    kept = []
    for limit_bytes in sizes:
        extraction = start(folder, out, *options, limit_bytes=limit_bytes)
        status, _, complained = extraction.end()
        assert status == 1
        assert "File too large" in complained
        assert f"finished shards are kept in {job_folder(out)}" in complained
        assert "Traceback" not in complained
        assert not out.exists()
        assert not [name for name in left_in(job_folder(out)) if name.endswith(".writing")]
        kept.append(len(extraction.shards()))
    assert kept == [1, 2]
    assert same_again(folder, out, segment_s=0.1).progress.videos_done == 0
    assert content(out) == content(tmp_path / "whole.h5")


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(
    copies: Copies, same_again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segfeat.pipeline.extractor.ReaderPool", None)
    with pytest.raises(OSError, match=r"/proc/f\.h5\.shards"):
        same_again(copies("a.mp4"), Path("/proc/f.h5"))


# -- two at once, and other settings -----------------------------------------------------------------------------------


def test_status_and_a_second_extraction_while_one_runs(
    copies: Copies, tmp_path: Path, start: Start, same_again: Run
) -> None:
    folder, out = copies("a.mp4", "b.mp4", "hang.mp4"), tmp_path / "f.h5"
    first = start(folder, out)
    first.wait_for(first.shards)
    with pytest.raises(ValueError, match=f"another process is extracting into {out}"):
        same_again(folder, out)
    running = told("status", out)
    assert f"running (process {first.process.pid})" in running
    assert "2 of 3 read" in running
    first.signal(signal.SIGKILL)
    first.end()
    interrupted = told("status", out)
    assert interrupted.startswith("interrupted")
    assert "shards    1 finished" in interrupted
    assert "run the same segfeat extract command again" in interrupted

    with pytest.raises(ValueError, match=r"had other settings .*: segment_s: 5 against 4;.*--overwrite"):
        same_again(folder, out, segment_s=4.0)
    assert len(first.shards()) == 1

    same_again(folder, out, segment_s=4.0, overwrite=True, video_timeout_s=3.0)
    assert told("status", out) == "finished: 2 videos, 2 segments, 1 failed files\n"
    none = CliRunner().invoke(segfeat_group, ["status", str(tmp_path / "none.h5")])
    assert none.exit_code == 1
    assert "neither" in str(none.exception)
    with open_store(out) as store:
        assert store.segment_s == 4.0
        assert [f.code for f in store.failures] == ["timeout"]


def test_overwriting_goes_on_where_it_was_interrupted(
    copies: Copies, tmp_path: Path, start: Start, same_again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = copies("a.mp4", "b.mp4"), tmp_path / "f.h5"
    same_again(folder, out)
    old = out.read_bytes()
    copies("c.mp4", "hang.mp4")
    extraction = start(folder, out, "--overwrite")
    extraction.wait_for(extraction.shards)
    extraction.signal(signal.SIGKILL)
    extraction.end()
    assert out.read_bytes() == old  # until the new one is complete
    monkeypatch.setitem(DECODERS, "troubled", DECODERS["pyav"])  # what hung does so no more
    assert same_again(folder, out, overwrite=True).progress.videos_before == 2
    assert same_again(folder, out, overwrite=True).progress.videos_before == 0  # finished: a new one
