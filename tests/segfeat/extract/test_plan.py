"""Shards and plans: the same files give the same shards, whatever is finished already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segfeat.failures import Failure
from segfeat.pipeline import shard as shards
from segfeat.pipeline.plan import Finished, make_plan
from segfeat.pipeline.shard import Shard, cut
from segfeat.pipeline.sources import Source
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

HEADER = StoreHeader(5.0, {"id_from": "stem"})


def sources(count: int, size_bytes: int = 10) -> list[Source]:
    return [Source(f"v{i:03}", f"v{i:03}.mp4", f"/v/v{i:03}.mp4", size_bytes, i) for i in range(count)]


def video(source: Source) -> VideoFeatures:
    return VideoFeatures(
        source.video_id,
        3.0,
        spans_s=np.array([[0.0, 3.0]]),
        features={},
        valid={},
        path=source.path,
        title=source.title,
        size_bytes=source.size_bytes,
        mtime_ns=source.mtime_ns,
    )


def write(folder: Path, shard: Shard, header: StoreHeader = HEADER, failed: tuple[int, ...] = ()) -> Path:
    path = folder / shard.name(header)
    good = [video(s) for i, s in enumerate(shard.sources) if i not in failed]
    bad = [Failure(s.path, "no_frames", "", s.size_bytes, s.mtime_ns) for s in map(shard.sources.__getitem__, failed)]
    write_store(path, header, good, bad)
    return path


def test_shards_are_cut_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(s.sources) for s in cut(sources(70))] == [32, 32, 6]
    monkeypatch.setattr(shards, "SHARD_BYTES", 100)
    sizes = [50, 50, 1, 99, 1, 250, 30, 30, 30, 30]
    cuts = cut([replace(s, size_bytes=n) for s, n in zip(sources(10), sizes, strict=True)])
    assert [[s.size_bytes for s in c.sources] for c in cuts] == [[50, 50], [1, 99], [1], [250], [30, 30, 30], [30]]
    assert cut([]) == []


def test_a_name_follows_from_files_and_settings(make_spec: Callable[..., EncoderSpec]) -> None:
    one = Shard(tuple(sources(2)))
    names = {one.name(HEADER)}
    assert one.name(StoreHeader(5.0, {"id_from": "stem"}, {})) in names
    names.add(one.name(StoreHeader(4.0, {"id_from": "stem"})))
    names.add(one.name(StoreHeader(5.0, {"id_from": "path"})))
    names.add(one.name(StoreHeader(5.0, {"id_from": "stem"}, {"visual": make_spec("visual", 4)})))
    names.add(one.name(StoreHeader(5.0, {"id_from": "stem"}, {"visual": make_spec("visual", 4, weights="x")})))
    first, second = one.sources
    for changed in (
        replace(second, path="w"),
        replace(second, size_bytes=11),
        replace(second, mtime_ns=7),
        replace(second, title="t"),
        replace(second, video_id="w"),
    ):
        names.add(Shard((first, changed)).name(HEADER))
    names |= {Shard((second, first)).name(HEADER), Shard((first,)).name(HEADER)}
    assert len(names) == 12
    # Where the files lie does not matter: the folder may have moved.
    assert Shard((first, replace(second, file="/elsewhere"))).name(HEADER) == one.name(HEADER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(0, 20), st.sets(st.integers(0, 6)))
def test_whatever_is_finished_the_parts_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, count: int, finished: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_VIDEOS", 3)
        new = sources(count)
        fresh = make_plan(new, HEADER, folder, False)
        assert fresh.sources == new
        for number, (_, shard) in enumerate(fresh.todo):
            if number in finished:
                write(folder, shard)
        resumed = make_plan(new, HEADER, folder, False)
        assert resumed.parts(HEADER, folder) == fresh.parts(HEADER, folder)
        assert len(resumed.todo) == len(fresh.todo) - len(finished & set(range(len(fresh.todo))))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 3)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("what", ["gone", "changed", "new"])
def test_a_change_of_one_file_costs_that_file(tmp_path: Path, what: str) -> None:
    """All shards have other members then; what was finished is used video by video."""
    old = sources(10)
    for _, shard in make_plan(old, HEADER, tmp_path, False).todo[:3]:
        write(tmp_path, shard, failed=(1,))
    now = list(old)
    if what == "gone":
        del now[1]
    elif what == "changed":
        now[2] = replace(now[2], mtime_ns=99)
    else:
        now.insert(0, Source("aaa", "aaa.mp4", "/v/aaa.mp4", 10, 5))
    plan = make_plan(now, HEADER, tmp_path, False)
    left = {"gone": ["v009"], "changed": ["v002", "v009"], "new": ["aaa", "v009"]}[what]
    assert [s.video_id for s in plan.sources] == left
    kept: list[str] = []
    for _, part in plan.done:
        with FeatureStore(part.path) as store:
            kept += [p for p in Finished.of(store).paths if p not in part.without]
    assert sorted(kept + [s.path for s in plan.sources]) == [s.path for s in now]


@pytest.mark.usefixtures("small_shards")
def test_shards_of_other_settings_are_not_used(tmp_path: Path) -> None:
    new = sources(3)
    write(tmp_path, Shard(tuple(new)), StoreHeader(4.0))
    assert make_plan(new, HEADER, tmp_path, False).sources == new


@pytest.mark.usefixtures("small_shards")
def test_other_titles_make_other_videos_only_where_titles_are_given(tmp_path: Path) -> None:
    new = sources(4)
    write(tmp_path, Shard(tuple(new[1:4])))
    titled = [replace(s, title="new words") for s in new]
    assert make_plan(new, HEADER, tmp_path, False).sources == new[:1]
    assert make_plan(titled, HEADER, tmp_path, True).sources == titled


def test_what_a_store_has_dealt_with(tmp_path: Path) -> None:
    good, bad = sources(2)
    with FeatureStore(write(tmp_path, Shard((good, bad)), failed=(1,))) as store:
        finished = Finished.of(store)
    assert finished.has(good, titles_given=True)
    assert finished.has(bad, titles_given=True)
    assert not finished.has(bad, titles_given=True, retry_failed=True)
    assert finished.has(good, titles_given=True, retry_failed=True)
    for other in (replace(good, size_bytes=1), replace(good, mtime_ns=9), replace(good, video_id="x")):
        assert not finished.has(other, titles_given=False)
    assert not finished.has(replace(bad, mtime_ns=9), titles_given=False)
    assert not finished.has(replace(good, title="t"), titles_given=True)
    assert finished.has(replace(good, title="t"), titles_given=False)
    assert finished.paths == {good.path, bad.path}
