"""Stores in parts: they answer as the single file does, additions write no old byte, and no reader sees a mixture."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from segfeat.failures import Failure
from segfeat.interactions import Categories, Interactions
from segfeat.store import addition
from segfeat.store.addition import add_stores
from segfeat.store.check import check_store, left_over
from segfeat.store.conversion import compact
from segfeat.store.manifest import read_manifest, without_rows
from segfeat.store.reader import FeatureStore, open_store
from segfeat.store.summary import summarise, summarise_videos
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Line, StoreHeader, VideoFeatures

DIMS = {"visual": 4, "audio": 3}

Make = Callable[..., VideoFeatures]


@pytest.fixture(scope="module")
def header(make_spec: Callable[..., EncoderSpec]) -> StoreHeader:
    return StoreHeader(5.0, {"seed": 7}, {m: make_spec(m, d) for m, d in DIMS.items()})


@pytest.fixture(scope="module")
def log(make_log: Callable[..., Interactions]) -> Interactions:
    """Ids in no order, and one of each kind that no view has."""
    made = make_log(("u", "v9", 1, 5, 9), ("b", "v0", 2, 6, 0), ("u", "gone", 3, 1, 1))
    return replace(
        made,
        context={"tab": Categories(np.array([1, -1, 0], np.int32), np.array(["b", "a", "unused"], dtype=object))},
        user_ids=np.append(made.user_ids, "nobody"),
        video_ids=np.append(made.video_ids, "nothing"),
    )


@pytest.fixture(scope="module")
def videos(make_video: Make) -> list[VideoFeatures]:
    made = []
    for i in range(11):
        video = make_video(f"v{i}", 1.0 + 3.3 * i, DIMS, seed=i, path=f"{i}.mp4", title=f"Ä{i}", mtime_ns=2**60 + i)
        n = len(video.spans_s)
        more = {"thumbnails": tuple(bytes([k + 1]) * (i + k) for k in range(n))} if i % 4 == 0 else {}
        made.append(
            replace(
                video,
                segment_text=tuple(f"字{i}.{k}" for k in range(n)),
                problems="torn" if i % 3 == 1 else "",
                status="partial" if i % 3 == 1 else "ok",
                words={"speech": tuple((Line(1.0, 2.0, f"said {k}", 0.5),) * (k % 3) for k in range(n))}
                if i > 5
                else {},
                attributes={"tags": ("x", f"t{i}")[: i % 3]} if i > 2 else {},
                **more,
            )
        )
    return made


def failures(*numbers: int) -> list[Failure]:
    return [Failure(f"bad {i}.mp4", "no_frames", "nothing decodes", i, i) for i in numbers]


@pytest.fixture(scope="module")
def single(
    tmp_path_factory: pytest.TempPathFactory, header: StoreHeader, videos: list[VideoFeatures], log: Interactions
) -> Path:
    path = tmp_path_factory.mktemp("single") / "feats.h5"
    write_store(path, header, videos, failures(0, 1, 2), log, root="/data")
    return path


def shards(folder: Path, header: StoreHeader, videos: list[VideoFeatures], *sizes: int) -> list[Path]:
    """The videos in stores of the given sizes; store k has failure k."""
    paths, start = [], 0
    for k, size in enumerate(sizes):
        paths.append(folder / f"shard{k}.h5")
        write_store(paths[-1], header, videos[start : start + size], failures(k), root="/data")
        start += size
    assert start == len(videos)
    return paths


@pytest.fixture(scope="module", params=["single", "one addition", "three additions", "superseded", "compacted"])
def store(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    single: Path,
    header: StoreHeader,
    videos: list[VideoFeatures],
    log: Interactions,
    make_video: Make,
) -> Iterator[FeatureStore]:
    """The same content in every form."""
    folder = tmp_path_factory.mktemp("forms")
    path = folder / "feats"
    if request.param == "single":
        path = single
    elif request.param == "one addition":
        add_stores(path, shards(folder, header, videos, 4, 5, 2), root="/data", interactions=log, part_bytes=1)
    elif request.param == "three additions":
        for shard in shards(folder, header, videos, 4, 5, 2):
            add_stores(path, [shard], root="/data")
        add_stores(path, [], interactions=log)
    elif request.param == "superseded":  # older videos and failures of some paths came first
        old = [make_video(f"old{i}", 7.0, DIMS, seed=99, path=f"{i}.mp4") for i in (0, 5, 10)]
        first, *others = shards(folder, header, videos, 4, 5, 2)
        write_store(folder / "old.h5", header, [old[0], *videos[:4], *old[1:]], failures(2, 0), root="/data")
        write_store(folder / "none.h5", header, [])
        add_stores(path, [folder / "old.h5"], root="/data")
        add_stores(path, [], superseded={"bad 2.mp4", "5.mp4", "10.mp4"})
        # The first video's path stands on an old row and a new one: the old row is cut away by hand below.
        assert len(open_store(path)) == 5
        path = folder / "again"
        add_stores(path, [folder / "old.h5"], root="/data")
        add_stores(
            path, [], superseded={"bad 2.mp4", "bad 0.mp4", "0.mp4", "5.mp4", "10.mp4", "1.mp4", "2.mp4", "3.mp4"}
        )
        assert len(open_store(path)) == 0
        add_stores(path, [first, *others], root="/data", interactions=log)
    else:
        add_stores(
            folder / "many", shards(folder, header, videos, 4, 5, 2), root="/data", interactions=log, part_bytes=1
        )
        compact(folder / "many", path, part_bytes=9_000)
        assert 1 < len(read_manifest(path).parts) < 11
    with open_store(path) as opened:
        yield opened


# -- one contract over every form --------------------------------------------------------------------------------------


def test_every_form_is_a_feature_store(store: FeatureStore, header: StoreHeader) -> None:
    assert isinstance(store, FeatureStore)
    assert store.header == header
    assert store.root == "/data"
    assert store.segment_s == 5.0
    assert len(store) == 11
    assert f"{store.path.name}: 11 videos, {store.segment_total} segments; visual test:visual 4-d" in repr(store)


def test_every_column_is_the_single_files(store: FeatureStore, single: Path) -> None:
    with open_store(single) as known:
        assert list(store) == list(known)
        for name in (
            "video_ids", "offset", "duration_s", "paths", "titles", "status", "problems", "decoders", "segment_text",
            "source_stat", "spans_s",
        ):  # fmt: skip
            np.testing.assert_array_equal(np.asarray(getattr(store, name)), np.asarray(getattr(known, name)), name)
        for modality in DIMS:
            np.testing.assert_array_equal(np.asarray(store.features(modality)), np.asarray(known.features(modality)))
            np.testing.assert_array_equal(store.valid(modality), known.valid(modality))
        assert store.failures == known.failures
        assert store.word_counts.keys() == known.word_counts.keys() == {"speech"}
        np.testing.assert_array_equal(store.word_counts["speech"], known.word_counts["speech"])
        assert store.users.ids.tolist() == known.users.ids.tolist() == []
        assert store.video_attributes.keys() == known.video_attributes.keys() == {"tags"}
        assert list(store.video_attributes["tags"]) == list(known.video_attributes["tags"])


def test_every_video_is_the_one_that_was_written(store: FeatureStore, videos: list[VideoFeatures]) -> None:
    for video in videos:
        found = store[video.video_id]
        for name in ("video_id", "duration_s", "path", "title", "status", "size_bytes", "mtime_ns", "problems"):
            assert getattr(found, name) == getattr(video, name), name
        assert found.segment_text == video.segment_text
        assert any(found.words.get("speech", ())) == any(video.words.get("speech", ()))
        assert found.attributes.get("tags", ()) == video.attributes.get("tags", ())
        assert [len(t) for t in found.thumbnails] in (
            [len(t) for t in video.thumbnails], [0] * len(video.spans_s), []
        )  # fmt: skip
        for modality in DIMS:
            np.testing.assert_array_equal(found.features[modality], video.features[modality])
            np.testing.assert_array_equal(found.valid[modality], video.valid[modality])
        np.testing.assert_array_equal(found.spans_s, video.spans_s)
        np.testing.assert_array_equal(found.frame_time_s, video.frame_time_s)
    assert store["v4"].thumbnails == videos[4].thumbnails


def test_ids_are_found_and_others_are_not(store: FeatureStore) -> None:
    assert store.rows["v10"] == 10
    assert [store.rows.get(v) for v in ("v0", "V0", "", "v11")] == [0, None, None, None]
    assert "v3" in store
    assert "v33" not in store
    assert dict(store.rows) == {f"v{i}": i for i in range(11)}
    with pytest.raises(KeyError, match="no video 'v11'"):
        store["v11"]


def test_gather_takes_any_rows_in_any_order(store: FeatureStore, single: Path, rng: np.random.Generator) -> None:
    with open_store(single) as known:
        for rows in (
            rng.integers(0, known.segment_total, 200), np.arange(known.segment_total)[::-1], np.zeros(0, np.int64),
            np.array([-1, 0, known.segment_total - 1]),
        ):  # fmt: skip
            for modality in DIMS:
                for mine, theirs in zip(store.gather(modality, rows), known.gather(modality, rows), strict=True):
                    np.testing.assert_array_equal(mine, theirs)
                    assert mine.dtype == theirs.dtype
    with pytest.raises(IndexError):
        store.gather("visual", np.array([store.segment_total]))


def test_columns_are_indexed_as_arrays_are(store: FeatureStore, single: Path) -> None:
    with open_store(single) as known:
        mine, theirs = store.features("visual"), known.features("visual")
        assert (mine.shape, mine.dtype, mine.ndim, len(mine)) == (theirs.shape, theirs.dtype, 2, len(theirs))
        mask = np.arange(len(theirs)) % 3 == 0
        for key in (slice(3, 20), slice(None, None, -2), 5, -1, [7, 2, 2], mask, (slice(2, 9), 1), (4, 2)):
            np.testing.assert_array_equal(mine[key], theirs[key])


def test_what_is_absent_is_named_alike(store: FeatureStore) -> None:
    for ask in (store.features, store.valid, lambda m: store.gather(m, np.array([0]))):
        with pytest.raises(ValueError, match="no text features; it has visual, audio"):
            ask("text")


def test_the_log_is_the_same_with_ids_that_no_view_has(store: FeatureStore, log: Interactions) -> None:
    found = store.interactions
    assert found is not None
    assert found.fingerprint() == log.fingerprint()
    assert found.user_ids.tolist() == ["u", "b", "nobody"]


def test_the_summary_counts_the_same(store: FeatureStore, single: Path) -> None:
    with open_store(single) as known:
        mine, theirs = summarise(store), summarise(known)
        assert replace(mine, path="", content_hash="", file_bytes=0) == replace(
            theirs, path="", content_hash="", file_bytes=0
        )
        assert mine.file_bytes > 1000
        assert summarise_videos(store) == summarise_videos(known)


def test_it_checks_and_becomes_the_single_file(store: FeatureStore, single: Path, tmp_path: Path) -> None:
    assert list(check_store(store.path)) == []
    compact(store.path, tmp_path / "out.h5")
    with open_store(tmp_path / "out.h5") as out, open_store(single) as known:
        assert out.content_hash == known.content_hash


# -- additions ---------------------------------------------------------------------------------------------------------


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def test_an_addition_writes_no_old_byte_and_open_readers_go_on(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures]
) -> None:
    first, second, third = shards(tmp_path, header, videos, 6, 4, 1)
    add_stores(tmp_path / "feats", [first])
    before = state(tmp_path / "feats")
    with open_store(tmp_path / "feats") as old:
        add_stores(tmp_path / "feats", [second])
        add_stores(tmp_path / "feats", [third])
        after = state(tmp_path / "feats")
        assert {n: after[n] for n in before if n not in ("manifest.json", "lock")} == {
            n: before[n] for n in before if n not in ("manifest.json", "lock")
        }
        assert len(old) == 6
        assert "v6" not in old
        np.testing.assert_array_equal(old["v5"].visual, videos[5].visual)
    with open_store(tmp_path / "feats") as new:
        assert list(new) == [v.video_id for v in videos]


@pytest.mark.parametrize("step", ["merge_stores", "write_index", "write_manifest", "sha256_of"])
def test_an_addition_cut_short_at_any_step_leaves_the_old_store(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, second = shards(tmp_path, header, videos, 6, 5)
    add_stores(tmp_path / "feats", [first])
    before = open_store(tmp_path / "feats").content_hash

    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(addition, step, cut)
    with pytest.raises(KeyboardInterrupt):
        add_stores(tmp_path / "feats", [second])
    monkeypatch.undo()
    with open_store(tmp_path / "feats") as store:
        assert (store.content_hash, len(store)) == (before, 6)
        assert list(check_store(tmp_path / "feats")) == []
    add_stores(tmp_path / "feats", [second])
    with open_store(tmp_path / "feats") as store:
        assert list(store) == [v.video_id for v in videos]
    assert all(name.startswith("ids-") for name in left_over(tmp_path / "feats"))  # of the old state


def test_many_additions_leave_few_indexes(tmp_path: Path, header: StoreHeader, make_video: Make) -> None:
    for i in range(20):
        write_store(tmp_path / "shard.h5", header, [make_video(f"v{i}", 7.0, DIMS, seed=i)])
        add_stores(tmp_path / "feats", [tmp_path / "shard.h5"])
    manifest = read_manifest(tmp_path / "feats")
    assert (len(manifest.parts), manifest.count("videos")) == (20, 20)
    assert len(manifest.ids) <= 5
    with open_store(tmp_path / "feats") as store:
        assert dict(store.rows) == {f"v{i}": i for i in range(20)}
        np.testing.assert_array_equal(store.offset, 2 * np.arange(21))


def test_what_does_not_fit_is_refused_and_nothing_changes(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures]
) -> None:
    first, second = shards(tmp_path, header, videos, 6, 5)
    add_stores(tmp_path / "feats", [first])
    before = open_store(tmp_path / "feats").content_hash
    with pytest.raises(ValueError, match=r"'v0' .*stand"):
        add_stores(tmp_path / "feats", [first])
    with pytest.raises(ValueError, match=r"stands both in|would stand twice"):
        add_stores(tmp_path / "feats", [second, second])
    write_store(tmp_path / "other.h5", StoreHeader(4.0, {"seed": 7}, header.encoders), [])
    with pytest.raises(ValueError, match=r"cannot join .*segment_s: 5 against 4"):
        add_stores(tmp_path / "feats", [tmp_path / "other.h5"])
    assert open_store(tmp_path / "feats").content_hash == before


def test_two_writers_at_once_are_refused(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shards(tmp_path, header, videos, 6, 5)
    write = addition.merge_stores

    def another(*arguments: object, **named: object) -> None:
        with pytest.raises(ValueError, match="another process is adding"):
            add_stores(tmp_path / "feats", [second])
        write(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(addition, "merge_stores", another)
    add_stores(tmp_path / "feats", [first])


# -- damage ------------------------------------------------------------------------------------------------------------


def test_check_names_every_file_that_has_changed(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures], log: Interactions
) -> None:
    folder = tmp_path / "feats"
    add_stores(folder, shards(tmp_path, header, videos, 6, 5), interactions=log, part_bytes=1)
    parts = [folder / p.file for p in read_manifest(folder).parts]
    content = bytearray(parts[0].read_bytes())
    content[-100] ^= 1
    parts[0].write_bytes(content)
    os.truncate(parts[1], 1000)
    (folder / read_manifest(folder).log[0].file).unlink()
    (folder / "stray.h5").write_text("")
    lines = list(check_store(folder))
    assert [line.rpartition(": ")[2] for line in lines] == [
        "its content has changed since it was written", f"1000 bytes, not {read_manifest(folder).parts[1].size_bytes}",
        "missing",
    ]  # fmt: skip
    assert [str(p) in line for p, line in zip(parts, lines, strict=False)] == [True, True]
    assert left_over(folder) == ["stray.h5"]


def test_check_finds_a_changed_bit_of_a_single_file(tmp_path: Path, single: Path) -> None:
    path = tmp_path / "store.h5"
    path.write_bytes(single.read_bytes())
    assert list(check_store(path)) == []
    with h5py.File(path, "r+") as file:
        file["features/visual"][3, 1] += np.float16(1)
    assert "content has changed" in next(check_store(path))


def test_a_missing_or_exchanged_part_is_an_error_that_names_it(
    tmp_path: Path, header: StoreHeader, videos: list[VideoFeatures]
) -> None:
    folder = tmp_path / "feats"
    add_stores(folder, shards(tmp_path, header, videos, 6, 5), part_bytes=1)
    first, second = (folder / p.file for p in read_manifest(folder).parts)
    first.write_bytes(second.read_bytes())
    second.unlink()
    with open_store(folder) as store:
        with pytest.raises(ValueError, match=f"{first.name}: not the part that"):
            store["v0"]
        with pytest.raises(ValueError, match=f"{second.name}: no such store"):
            store["v10"]


def test_folders_that_are_no_store_are_refused(tmp_path: Path, single: Path) -> None:
    with pytest.raises(ValueError, match=r"no such store \(a folder without manifest.json\)"):
        open_store(tmp_path)
    for text, message in (
        ("{", "not JSON"),
        ("{}", "not a complete manifest"),
        ('{"format": "x"}', "not the manifest"),
    ):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            open_store(tmp_path)
    compact(single, tmp_path / "feats")
    raw = json.loads((tmp_path / "feats/manifest.json").read_text())
    for key in ("manifest_version", "format_version"):
        (tmp_path / "feats/manifest.json").write_text(json.dumps({**raw, key: 99}))
        with pytest.raises(ValueError, match="99, but this segfeat reads up to"):
            open_store(tmp_path / "feats")


# -- runs of rows ------------------------------------------------------------------------------------------------------


def test_rows_are_cut_out_of_runs() -> None:
    assert without_rows([(0, 5), (7, 9)], [0, 2, 8]) == ((1, 2), (3, 5), (7, 8))
    assert without_rows([(0, 5)], [4]) == ((0, 4),)
    assert without_rows([(3, 5), (5, 6)], [3, 4, 5]) == ()
    assert without_rows([(3, 5)], []) == ((3, 5),)
