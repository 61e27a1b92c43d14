"""Merging: the shards' store is the store written at once, and what cannot be one store is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.store import hdf5, merge
from segfeat.store.merge import Part, merge_stores
from segfeat.store.reader import open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

DIMS = {"visual": 4}

Make = Callable[..., VideoFeatures]


@pytest.fixture(scope="module")
def header(make_spec: Callable[..., EncoderSpec]) -> StoreHeader:
    return StoreHeader(5.0, {}, {"visual": make_spec("visual", 4)})


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0.5, 30.0), st.booleans(), st.booleans()), max_size=7),
    st.lists(st.integers(0, 7), max_size=3),
)
def test_merged_shards_are_the_store_written_at_once(
    tmp_path: Path,
    header: StoreHeader,
    make_video: Make,
    make_log: Callable[..., Interactions],
    drawn: list[tuple[float, bool, bool]],
    cuts: list[int],
) -> None:
    """Whatever the shards' borders are, with and without thumbnails and problems, videos and failures left out."""
    videos, failures, without = [], [], set()
    for i, (duration_s, left_out, with_thumbnails) in enumerate(drawn):
        video = make_video(f"v{i}", duration_s, DIMS, seed=i, path=f"{i}.mp4", title=f"{i}", size_bytes=i)
        n = len(video.spans_s)
        pictures = tuple(b"w" * (i + k) for k in range(n)) if with_thumbnails else ()
        torn = "torn" if i % 3 == 1 else ""
        videos.append(replace(video, thumbnails=pictures, segment_text=("t",) * n, problems=torn))
        failures.append(Failure(f"bad {i}.mp4", "no_frames", "none", i, i))
        if left_out:
            without |= {f"{i}.mp4", f"bad {i}.mp4"}
    log = make_log(("u", "v0", 1, 5, 9))
    kept = [v for v in videos if v.path not in without]
    write_store(tmp_path / "whole.h5", header, kept, [f for f in failures if f.path not in without], log)

    bounds = [0, *sorted(min(c, len(videos)) for c in cuts), len(videos)]
    parts = []
    for k, (start, end) in enumerate(pairwise(bounds)):
        parts.append(Part(tmp_path / f"part{k}.h5", frozenset(without)))
        write_store(parts[-1].path, header, videos[start:end], failures[start:end])
    merge_stores(parts, tmp_path / "merged.h5", interactions=log)

    with open_store(tmp_path / "merged.h5") as merged, open_store(tmp_path / "whole.h5") as whole:
        assert list(merged) == list(whole) == [v.video_id for v in kept]
        assert merged.failures == whole.failures
        np.testing.assert_array_equal(merged.features("visual"), whole.features("visual"))
        for video in kept:
            assert merged[video.video_id].thumbnails == whole[video.video_id].thumbnails
            assert merged[video.video_id].problems == video.problems
        assert merged.content_hash == whole.content_hash


def test_large_parts_are_copied_block_by_block(
    tmp_path: Path, header: StoreHeader, make_video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [make_video(f"v{i}", 31.0, DIMS, seed=i) for i in range(5)]
    write_store(tmp_path / "whole.h5", header, videos)
    monkeypatch.setattr(hdf5, "COPY_ROWS", 4)
    write_store(tmp_path / "a.h5", header, videos[:3])
    write_store(tmp_path / "b.h5", header, videos[3:])
    merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    monkeypatch.undo()
    with open_store(tmp_path / "merged.h5") as merged, open_store(tmp_path / "whole.h5") as whole:
        np.testing.assert_array_equal(merged.features("visual"), whole.features("visual"))
        assert merged.content_hash == whole.content_hash


def test_a_store_can_be_merged_onto_itself(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    out = tmp_path / "out.h5"
    write_store(out, header, [make_video("old", 12.0, DIMS)])
    write_store(tmp_path / "more.h5", header, [make_video("new", 3.0, DIMS)])
    merge_stores([out, tmp_path / "more.h5"], out)
    with open_store(out) as store:
        assert list(store) == ["old", "new"]


def test_parts_without_picture_times_join_those_with(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    write_store(tmp_path / "a.h5", header, [make_video("a", 7.0, DIMS, frame_time_s=np.zeros((2, 0)))])
    write_store(tmp_path / "b.h5", header, [make_video("b", 7.0, DIMS)])
    merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    with open_store(tmp_path / "merged.h5") as store:
        assert np.isnan(store["a"].frame_time_s).all()
        assert store["b"].frame_time_s.tolist() == [[2.5], [6.0]]


def test_parts_with_other_headers_are_refused_and_the_setting_is_named(
    tmp_path: Path, header: StoreHeader, make_video: Make, make_spec: Callable[..., EncoderSpec]
) -> None:
    write_store(tmp_path / "a.h5", header, [make_video("a", 7.0, DIMS)])
    other = replace(header, encoders={"visual": make_spec("visual", 4, weights="other")})
    write_store(tmp_path / "b.h5", other, [make_video("b", 7.0, DIMS)])
    with pytest.raises(ValueError, match=r"b\.h5 cannot join .*a\.h5: visual encoder weights: 'none' against 'other'"):
        merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    assert names(tmp_path) == ["a.h5", "b.h5"]


def test_one_video_in_two_parts_names_both(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    for name in ("a.h5", "b.h5"):
        write_store(tmp_path / name, header, [make_video("same", 7.0, DIMS)])
    with pytest.raises(ValueError, match=r"video 'same' stands both in .*a\.h5 and in .*b\.h5"):
        merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    assert names(tmp_path) == ["a.h5", "b.h5"]


def test_merging_nothing_needs_a_header(tmp_path: Path, header: StoreHeader) -> None:
    with pytest.raises(ValueError, match="nothing to merge"):
        merge_stores([], tmp_path / "merged.h5")
    merge_stores([], tmp_path / "merged.h5", header=header)
    with open_store(tmp_path / "merged.h5") as store:
        assert store.header == header


def test_an_interruption_while_merging_leaves_no_file(
    tmp_path: Path, header: StoreHeader, make_video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path / "a.h5", header, [make_video("a", 7.0, DIMS)])

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(merge, "_copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge_stores([tmp_path / "a.h5"], tmp_path / "merged.h5")
    assert names(tmp_path) == ["a.h5"]
