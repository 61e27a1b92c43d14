"""What goes wrong while sound or words are read costs the sound and the words, never the video."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.decode import open_video
from segfeat.extraction import ExtractSummary
from segfeat.pipeline.messages import Closed, Failed, SegmentItems
from segfeat.pipeline.pool import ReaderPool, Task
from segfeat.pipeline.sources import Source
from segfeat.store.reader import open_store
from segfeat.words import registry
from segfeat.words.registry import WordsEntry
from tests.media import Picture, Sound, make_video
from tests.segfeat.extract import tasks

Run = Callable[..., ExtractSummary]
Place = Callable[..., Path]

OPTIONS: dict[str, Any] = {
    "preset": "offline", "audio": "offline:logmel", "text": "offline:hashing", "segment_s": 0.25,
    "video_timeout_s": 3.0, "workers": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def talkie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of twelve segments with sound and words inside: short, as a hang takes longer than its film lasts."""
    path = tmp_path_factory.mktemp("talkie") / "talkie.mkv"
    return make_video(path, [Picture(count=75)], [Sound(duration_s=3.0)], [(1.5, 2.0, "words inside")])


@pytest.fixture
def place(talkie: Path, tmp_path: Path) -> Place:
    """A function that copies the film under some names, beside two good ones."""

    def copy(*names: str) -> Path:
        folder = tmp_path / "videos"
        folder.mkdir(exist_ok=True)
        for name in ("a-good", *names, "z-good"):
            shutil.copy2(talkie, folder / f"{name}.mkv")
        return folder

    return copy


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is longer than what is held back: its segments go to the encoders as they come."""
    monkeypatch.setattr("segfeat.pipeline.arrival.HOLD_BYTES", 1)


def expect_pictures(store: Any, name: str) -> None:
    """All that is seen of the film is the same as in the good ones."""
    assert np.array_equal(store[name].visual, store["a-good"].visual)
    assert np.array_equal(store[name].frame_time_s, store["a-good"].frame_time_s)
    assert store[name].valid["visual"].all()
    assert len(store[name].spans_s) == 12


REASONS = {
    "crash": "killed by SIGSEGV: something broke", "leave": "status 7", "hang": "no progress in 3 s",
    "hold": "no progress in 3 s",
}  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [("cues-crash", "header-crash", "sound-crash", "sound-leave"), ("cues-hang", "header-hang", "sound-hold")],
)
def test_a_crash_or_hang_costs_sound_and_words(
    place: Place, tmp_path: Path, run: Run, troubled: str, names: tuple[str, ...]
) -> None:
    summary = run(place(*names), tmp_path / "f.h5", decoder=troubled, **OPTIONS)
    assert summary.failures == ()
    assert summary.partial == summary.progress.videos_partial == len(names)
    with open_store(tmp_path / "f.h5") as store:
        assert list(store) == ["a-good", *names, "z-good"]
        assert list(store.status) == ["ok", *["partial"] * len(names), "ok"]
        for name, problems in zip(names, store.problems[1:], strict=False):
            expect_pictures(store, name)
            assert not store[name].valid["audio"].any()
            assert not any(store[name].segment_text)
            assert problems.startswith("sound and words are left out, as reading them failed: ")
            assert REASONS[name.partition("-")[2]] in problems
        assert store["z-good"].valid["audio"].all()
        assert any(store["z-good"].segment_text)


@pytest.mark.parametrize("trouble", ["crash", "hang"])
@pytest.mark.usefixtures("streaming")
def test_what_a_long_file_gave_before_stays(
    place: Place, tmp_path: Path, run: Run, troubled: str, trouble: str
) -> None:
    """And no segment is encoded twice."""
    name = f"late-sound-{trouble}"
    run(place(name), tmp_path / "f.h5", decoder=troubled, **OPTIONS)
    with open_store(tmp_path / "f.h5") as store:
        expect_pictures(store, name)
        assert store[name].valid["audio"].tolist() == [True] * 3 + [False] * 9
        assert np.array_equal(store[name].audio[:3], store["a-good"].audio[:3])
        assert store.problems[1].startswith("sound and words after 0.75 s are left out, as reading them failed: ")
        assert list(store.status) == ["ok", "partial", "ok"]


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("trouble", ["crash", pytest.param("hang", marks=pytest.mark.slow)])
def test_words_that_crash_in_the_middle(
    place: Place, tmp_path: Path, run: Run, troubled: str, monkeypatch: pytest.MonkeyPatch, long: bool, trouble: str
) -> None:
    entry = WordsEntry("screen", "tests.segfeat.extract.tasks:TroubledWords", "screen:troubled")
    monkeypatch.setitem(registry.SOURCES, "screen:troubled", entry)  # type: ignore[arg-type]
    if long:
        monkeypatch.setattr("segfeat.pipeline.arrival.HOLD_BYTES", 1)
    name = f"late-sound-{trouble}"  # the reader has trouble only where it is asked for sound
    options = OPTIONS | {"audio": "none", "words": "title,screen:troubled"}
    (tmp_path / "titles.csv").write_text(f"video_id,title\n{name},the title\n")
    run(place(name), tmp_path / "f.h5", decoder=troubled, metadata=tmp_path / "titles.csv", **options)
    with open_store(tmp_path / "f.h5") as store:
        expect_pictures(store, name)
        assert store["a-good"].segment_text == tuple(f"shown {k}" for k in range(12))
        assert store[name].segment_text == tuple(f"the title shown {k}" for k in range(3)) + ("the title",) * 9
        assert store.problems[1].startswith("sound and words after 0.75 s are left out")


@pytest.mark.usefixtures("streaming")
def test_an_exception_in_the_sound_costs_the_sound_alone(place: Place, tmp_path: Path, run: Run, troubled: str) -> None:
    names = ["late-sound-eat", "late-sound-fail", "sound-fail"]
    run(place(*names), tmp_path / "f.h5", decoder=troubled, **OPTIONS)
    with open_store(tmp_path / "f.h5") as store:
        for name, count, problem in zip(names, (3, 3, 0), store.problems[1:4], strict=True):
            expect_pictures(store, name)
            assert store[name].valid["audio"].tolist() == [True] * count + [False] * (12 - count)
            assert store[name].segment_text == store["a-good"].segment_text
            assert problem.startswith(f"sound from {count / 4:g} s on cannot be read: ")
        assert list(store.status) == ["ok", *["partial"] * 3, "ok"]


def test_an_exception_in_the_words_costs_the_words_alone(place: Place, tmp_path: Path, run: Run, troubled: str) -> None:
    run(place("cues-eat", "cues-fail"), tmp_path / "f.h5", decoder=troubled, **OPTIONS)
    with open_store(tmp_path / "f.h5") as store:
        for name in ("cues-eat", "cues-fail"):
            expect_pictures(store, name)
            assert np.array_equal(store[name].audio, store["a-good"].audio)
            assert not any(store[name].segment_text)
        assert "words of subtitles" in store.problems[2]


def test_an_exception_as_the_header_is_read_costs_sound_and_words(
    place: Place, tmp_path: Path, run: Run, troubled: str
) -> None:
    run(place("header-fail"), tmp_path / "f.h5", decoder=troubled, **OPTIONS)
    with open_store(tmp_path / "f.h5") as store:
        expect_pictures(store, "header-fail")
        assert "RuntimeError: no such thing" in store.problems[1]


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_crashes_again_fails(
    place: Place, tmp_path: Path, run: Run, troubled: str, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    if long:
        monkeypatch.setattr("segfeat.pipeline.arrival.HOLD_BYTES", 1)
    folder = place("late-crash", "late-hang", "late-fail")
    failures = run(folder, tmp_path / "f.h5", decoder=troubled, **OPTIONS).failures
    assert {f.path: f.code for f in failures} == {
        "late-crash.mkv": "crashed", "late-fail.mkv": "internal", "late-hang.mkv": "timeout"
    }  # fmt: skip
    assert all(f.message.endswith("(also without its sound and words)") for f in failures)
    with open_store(tmp_path / "f.h5") as store:
        assert list(store) == ["a-good", "z-good"]


def test_the_number_of_workers_changes_nothing(
    place: Place, tmp_path: Path, run: Run, troubled: str, content: Callable[[Path], str]
) -> None:
    folder = place("late-sound-crash", "sound-crash", "sound-leave", "header-crash", "cues-crash", "late-crash")
    for workers in (1, 3):
        run(folder, tmp_path / f"{workers}.h5", decoder=troubled, **OPTIONS | {"workers": workers})
    assert content(tmp_path / "1.h5") == content(tmp_path / "3.h5")


# -- the pool by itself ------------------------------------------------------------------------------------------------


def read_all(task: Task, sources: Sequence[Source]) -> list[tuple[list[SegmentItems], Closed | Failed | None]]:
    with ReaderPool(task, sources, 2, 30.0) as pool:
        return [(list(arrival), arrival.end) for arrival in pool]


def test_a_file_that_grows_in_between_gives_no_more_than_it_had(source: Callable[[str], Source]) -> None:
    [(segments, end)] = read_all(tasks.grow, [source("a")])
    assert [segment.text for segment in segments] == ["first 0", "first 1", "second 2"]
    assert isinstance(end, Closed)


def test_trouble_in_cleaning_up_is_that_of_the_file_that_was_read(source: Callable[[str], Source]) -> None:
    """And not of the next one, which its process was to read."""
    got = read_all(tasks.leave_behind, [source("crash"), source("a"), source("b")])
    ends = [end for _, end in got]
    assert isinstance(ends[0], Failed)
    assert ends[1:] == [Closed()] * 2


def test_pictures_alone_means_no_sound_and_no_words(films: Path) -> None:
    reader = open_video(films / "long.mkv", pictures_only=True)
    assert not reader.info.has_audio
    assert [len(wave) for wave in reader.audio(np.array([[0.0, 5.0], [5.0, 12.0]]), 8000)] == [0, 0]
    assert reader.cues() == []
    assert len(list(open_video(films / "long.mkv").cues())) == 1
