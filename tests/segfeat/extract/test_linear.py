"""Every step that is done for each video costs as much for the thousandth as for the first: counted, not timed."""

from __future__ import annotations

import builtins
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segfeat.decode import DECODERS
from segfeat.failures import Failure
from segfeat.pipeline import plan as plans
from segfeat.pipeline import shard as shards
from segfeat.pipeline.messages import Closed
from segfeat.pipeline.plan import Finished, make_plan
from segfeat.pipeline.reading import Reading
from segfeat.pipeline.request import Prepared, Request
from segfeat.store.writer import write_store

SIZES = (1000, 4000)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often the file system is asked for something meanwhile, by what it is asked."""
    calls: Counter[str] = Counter()

    def watch(owner: Any, name: str) -> Callable[..., Any]:
        real = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("scandir", "listdir", "stat", "lstat", "open", "readlink"):
            patch.setattr(os, name, watch(os, name))
        opening = watch(builtins, "open")
        patch.setattr(builtins, "open", opening)
        patch.setattr(io, "open", opening)
        yield calls


def put(folder: Path, count: int, suffix: str = ".mp4") -> Path:
    """So many files of one byte with subtitles beside them, in one folder."""
    folder.mkdir()
    for number in range(count):
        (folder / f"v{number:05}{suffix}").write_bytes(b"x")
        (folder / f"v{number:05}.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nwords\n")
    return folder


def prepared(paths: Any, out: Path) -> Prepared:
    return Request(paths, out, preset="offline", visual="none", audio="none", text="none", decoder="blank").prepare()


@pytest.fixture(autouse=True)
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that looks at nothing."""
    monkeypatch.setitem(DECODERS, "blank", "tests.segfeat.extract.tasks:BlankReader")


def expect_linear(few: Counter[str], many: Counter[str]) -> None:
    """Four times as many files cost four times as many calls, but for what is done once."""
    for name in few | many:
        assert many[name] <= 4 * few[name] + 20, (name, few[name], many[name])


@pytest.mark.parametrize("named", ["folder", "files"])
def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    found = []
    for count in SIZES:
        folder = put(tmp_path / str(count), count)
        paths = folder if named == "folder" else sorted(folder.glob("*.mp4"))
        with counted(monkeypatch) as calls:
            known = prepared(paths, tmp_path / "f.h5")
        assert len(known.new) == count
        assert all(len(source.side_files) == 1 for source in known.new)
        assert calls["scandir"] + calls["listdir"] == 1
        found.append(calls)
    expect_linear(*found)


def test_reading_a_video_looks_at_its_own_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in SIZES:
        known = prepared(put(tmp_path / str(count), count), tmp_path / "f.h5")
        task = Reading(known.settings, {}, None, 0, known.settings.sources())
        with counted(monkeypatch) as calls:
            for source in known.new[:: count // 100]:
                *_, segment, end = task(source)
                assert segment.text == "words"
                assert isinstance(end, Closed)
        assert not calls["scandir"] + calls["listdir"]
        found.append(calls)
    assert found[0] == found[1]  # a hundred videos each, in folders of different sizes


def test_going_on_looks_at_every_finished_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the list of files has changed, all shards have other names, and their files are looked at one by one."""
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 200)
    monkeypatch.setattr(plans, "FeatureStore", counting := Counting())
    asked, has = Counter[str](), Finished.has

    def ask(self: Finished, source: Any, titles_given: bool, retry_failed: bool = False) -> bool:
        asked[source.path] += 1
        return has(self, source, titles_given, retry_failed)

    for count in SIZES:
        known = prepared(put(tmp_path / str(count), count), tmp_path / "f.h5")
        folder = tmp_path / f"{count}.shards"
        folder.mkdir()
        for _, shard in make_plan(known.new[1:], known.header, folder, False).todo:
            failures = [Failure(s.path, "no_frames", "", s.size_bytes, s.mtime_ns) for s in shard.sources]
            write_store(folder / shard.name(known.header), known.header, [], failures)
        asked.clear()
        counting.opened = 0
        with monkeypatch.context() as patch, counted(monkeypatch) as calls:
            patch.setattr(Finished, "has", ask)
            plan = make_plan([replace(known.new[0], mtime_ns=7), *known.new[1:]], known.header, folder, False)
        assert [source.path for source in plan.sources] == [known.new[0].path]
        parts = len(list(folder.iterdir()))
        assert set(asked.values()) == {1}
        assert counting.opened == parts
        assert calls["stat"] <= 3 * parts + 20


class Counting:
    """Opens stores, and counts how often."""

    def __init__(self) -> None:
        self.opened = 0

    def __call__(self, path: Path) -> Any:
        from segfeat.store.reader import FeatureStore

        self.opened += 1
        return FeatureStore(path)
