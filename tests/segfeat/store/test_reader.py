"""Reading stores: what was written comes back, the file can be read plainly, and wrong files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segfeat.failures import FAILURE_CODES, Failure
from segfeat.interactions import Interactions
from segfeat.store.format import FORMAT_VERSION
from segfeat.store.reader import FeatureStore, open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

DIMS = {"visual": 4, "audio": 3}

Make = Callable[..., VideoFeatures]


@pytest.fixture(scope="module")
def header(make_spec: Callable[..., EncoderSpec]) -> StoreHeader:
    return StoreHeader(5.0, {"seed": 7}, {m: make_spec(m, d) for m, d in DIMS.items()})


@pytest.fixture
def store_path(tmp_path: Path, header: StoreHeader, make_video: Make, make_log: Callable[..., Interactions]) -> Path:
    """Three videos of 3, 1 and 2 segments, two failures, a log."""
    videos = [
        make_video("a", 12.0, DIMS, seed=1, path="x/a.mp4", title="Ä", decoder="pyav", size_bytes=9, mtime_ns=2**62),
        make_video("ß 短", 0.3, DIMS, seed=2, status="partial", segment_text=("Wörter, 字",)),
        make_video("c", 10.0, DIMS, seed=3, thumbnails=(b"one", b"")),
    ]
    failures = [Failure("x/b.mp4", "no_frames", "nothing decodes", 5, 6), Failure("y.mp4", "empty_file", "0 bytes")]
    path = tmp_path / "store.h5"
    write_store(path, header, videos, failures, make_log(("u", "a", 1, 5, 9), ("v", "gone", 2, 6, 0)))
    return path


def assert_same(left: VideoFeatures, right: VideoFeatures) -> None:
    for name in ("video_id", "duration_s", "path", "title", "status", "decoder", "size_bytes", "mtime_ns"):
        assert getattr(left, name) == getattr(right, name), name
    np.testing.assert_array_equal(left.spans_s, right.spans_s)
    np.testing.assert_array_equal(left.frame_time_s, right.frame_time_s)
    for mine, other in ((left.features, right.features), (left.valid, right.valid)):
        assert mine.keys() == other.keys()
        for modality in mine:
            np.testing.assert_array_equal(mine[modality], other[modality])
            assert mine[modality].dtype == other[modality].dtype


# -- round trip --------------------------------------------------------------------------------------------------------


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 40.0), st.sampled_from(["ok", "partial"]), texts), max_size=6))
def test_ragged_videos_come_back_as_they_were(
    tmp_path: Path, header: StoreHeader, make_video: Make, drawn: list[tuple[float, str, str]]
) -> None:
    videos = []
    for i, (duration_s, status, text) in enumerate(drawn):
        bare = make_video(f"video {i}", duration_s, DIMS, seed=i, status=status, path=text, mtime_ns=i)
        videos.append(
            make_video(
                bare.video_id,
                duration_s,
                DIMS,
                seed=i,
                status=status,
                path=text,
                mtime_ns=i,
                segment_text=tuple(f"{text}{k}" for k in range(len(bare.spans_s))),
            )
        )
    write_store(tmp_path / "store.h5", header, videos)
    with open_store(tmp_path / "store.h5") as store:
        assert list(store) == [v.video_id for v in videos]
        assert store.header == header
        assert store.segment_total == sum(len(v.spans_s) for v in videos)
        for video in videos:
            assert_same(store[video.video_id], video)
            assert store[video.video_id].segment_text == video.segment_text


def test_everything_else_comes_back(store_path: Path, header: StoreHeader) -> None:
    with open_store(store_path) as store:
        assert repr(store) == (
            "<FeatureStore store.h5: 3 videos, 6 segments; visual test:visual 4-d, audio test:audio 3-d>"
        )
        assert len(store) == 3
        assert "ß 短" in store
        assert "b" not in store
        assert store.offset.tolist() == [0, 3, 4, 6]
        assert store.paths.tolist() == ["x/a.mp4", "", ""]
        assert store.titles.tolist() == ["Ä", "", ""]
        assert store.status.tolist() == ["ok", "partial", "ok"]
        assert store.root == ""
        assert store.decoders.tolist() == ["pyav", "", ""]
        assert store.segment_text.tolist() == ["", "", "", "Wörter, 字", "", ""]
        assert store.source_stat.tolist() == [[9, 2**62], [0, 0], [0, 0]]
        assert store["c"].thumbnails == (b"one", b"")
        assert store["a"].thumbnails == (b"", b"", b"")
        assert store.failures == (
            Failure("x/b.mp4", "no_frames", "nothing decodes", 5, 6),
            Failure("y.mp4", "empty_file", "0 bytes"),
        )
        log = store.interactions
        assert log is not None
        assert log.user_ids.tolist() == ["u", "v"]
        assert log.video_ids.tolist() == ["a", "gone"]
        assert [c.tolist() for c in (log.user, log.video, log.time_ms, log.watch_ms, log.duration_ms)] == [
            [0, 1], [0, 1], [1, 2], [5, 6], [9, 0]
        ]  # fmt: skip


def test_file_names_of_any_bytes_and_text_with_nul_can_be_kept(
    tmp_path: Path, header: StoreHeader, make_video: Make
) -> None:
    odd = b"odd \xff.mp4".decode("utf-8", "surrogateescape")
    video = make_video("a", 3.0, DIMS, path=odd, segment_text=("one\0two",))
    write_store(tmp_path / "store.h5", header, [video], [Failure(odd, "no_frames", "")], root=f"/{odd}")
    with open_store(tmp_path / "store.h5") as store:
        assert store.root == f"/{odd}"
        assert store["a"].path == store.paths[0] == store.failures[0].path == odd
        assert store["a"].segment_text == ("one\ufffdtwo",)


def test_an_empty_store_is_a_store(tmp_path: Path, header: StoreHeader) -> None:
    write_store(tmp_path / "store.h5", header, [], [Failure("a.mp4", "crashed", "signal 11")])
    with open_store(tmp_path / "store.h5") as store:
        assert len(store) == store.segment_total == 0
        assert store.features("visual").shape == (0, 4)
        assert store.gather("visual", np.zeros(0, np.int64))[0].shape == (0, 4)
        assert store.interactions is None
        assert len(store.failures) == 1


# -- features ----------------------------------------------------------------------------------------------------------


def test_columns_are_memory_mapped_read_only_and_outlive_the_store(store_path: Path) -> None:
    with open_store(store_path) as store:
        column, spans = store.features("visual"), store.spans_s
        expected = np.concatenate([store[v].visual for v in store])
    for mapped in (column, spans):
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
    np.testing.assert_array_equal(column, expected)


def test_every_numeric_column_is_contiguous_and_uncompressed(store_path: Path) -> None:
    with h5py.File(store_path) as file:
        numeric: list[h5py.Dataset] = []
        file.visititems(
            lambda _, node: numeric.append(node) if isinstance(node, h5py.Dataset) and node.dtype != object else None
        )
        assert len(numeric) > 10
        assert all(d.chunks is None and d.compression is None for d in numeric)
        assert all(d.id.get_offset() for d in numeric if d.size)


def test_gather_takes_rows_in_any_order_and_hides_what_is_invalid(store_path: Path) -> None:
    rows = np.array([5, 0, 3, 3, 1])
    with open_store(store_path) as store:
        values, valid = store.gather("audio", rows)
        assert values.dtype == np.float32
        assert valid.tolist() == store.valid("audio")[rows].tolist()
        assert valid.any()
        assert not valid.all()
        np.testing.assert_array_equal(values[valid], store.features("audio")[rows][valid].astype(np.float32))
        assert not values[~valid].any()


def test_gather_names_the_video_of_a_feature_that_is_not_finite(store_path: Path) -> None:
    with h5py.File(store_path, "r+") as file:
        file["features/visual"][4, 1] = np.nan
    with open_store(store_path) as store:
        store.gather("visual", np.array([3, 5]))
        with pytest.raises(ValueError, match=r"visual features of video 'c', segment 0 are not finite"):
            store.gather("visual", np.array([3, 4]))


def test_an_absent_modality_and_an_absent_video_are_named(store_path: Path) -> None:
    with open_store(store_path) as store:
        for ask in (store.features, store.valid, lambda m: store.gather(m, np.array([0]))):
            with pytest.raises(ValueError, match="no text features; it has visual, audio"):
                ask("text")
        with pytest.raises(KeyError, match="no video 'b'"):
            store["b"]


# -- the file as others read it ----------------------------------------------------------------------------------------


def test_plain_h5py_and_a_bare_memory_map_read_the_file(store_path: Path) -> None:
    with h5py.File(store_path) as file:
        assert file.attrs["format"] == "segfeat"
        assert file.attrs["format_version"] == FORMAT_VERSION
        assert file.attrs["segment_s"] == 5.0
        ids = file["videos/id"].asstr()[:].tolist()
        start, end = file["videos/offset"][ids.index("c") :][:2]
        plain = file["features/visual"][start:end]
        assert file["segments/span_s"][start:end].tolist() == [[0, 5], [5, 10]]
        assert dict(file["features/visual"].attrs) == {
            "name": "test:visual", "modality": "visual", "dim": 4, "model": "none", "weights": "none", "pooling": "mean"
        }  # fmt: skip
        offset, shape = file["features/visual"].id.get_offset(), file["features/visual"].shape
    mapped = np.memmap(store_path, np.float16, "r", offset, shape)
    np.testing.assert_array_equal(mapped[start:end], plain)
    with open_store(store_path) as store:
        np.testing.assert_array_equal(store["c"].visual, plain)


def test_columns_that_somebody_chunked_are_read_all_the_same(store_path: Path) -> None:
    with open_store(store_path) as store:
        expected = np.array(store.features("visual"))
    with h5py.File(store_path, "r+") as file:
        attributes = dict(file["features/visual"].attrs)
        del file["features/visual"]
        file.create_dataset("features/visual", data=expected, chunks=(2, 4), compression="gzip").attrs.update(
            attributes
        )
    with open_store(store_path) as store:
        np.testing.assert_array_equal(store.features("visual"), expected)


# -- files that are refused --------------------------------------------------------------------------------------------


def refused(path: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        FeatureStore(path)
    assert str(path) in str(error.value)


def test_newer_versions_are_refused(store_path: Path) -> None:
    with h5py.File(store_path, "r+") as file:
        file.attrs["format_version"] = FORMAT_VERSION + 1
    refused(
        store_path, f"written in store format {FORMAT_VERSION + 1}, .*reads up to {FORMAT_VERSION}: upgrade segfeat"
    )


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_cut_off_files_are_refused(store_path: Path, share: float) -> None:
    content = store_path.read_bytes()
    store_path.write_bytes(content[: int(len(content) * share)])
    refused(store_path, "not an HDF5 file, or one cut off while written")


def test_other_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent.h5", "no such store")
    refused(tmp_path, "no such store")
    (tmp_path / "text.h5").write_text("hello")
    refused(tmp_path / "text.h5", "not an HDF5 file")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    refused(tmp_path / "other.h5", "an HDF5 file, but not a segfeat store")


@pytest.mark.parametrize("missing", ["videos/id", "videos/offset", "videos/duration_s"])
def test_stores_that_lack_a_part_are_refused(store_path: Path, missing: str) -> None:
    with h5py.File(store_path, "r+") as file:
        del file[missing]
    refused(store_path, "not a complete segfeat store")


@pytest.mark.parametrize("missing", ["content_hash", "format_version", "segment_s", "parameters", "root"])
def test_stores_that_lack_an_attribute_are_refused(store_path: Path, missing: str) -> None:
    with h5py.File(store_path, "r+") as file:
        del file.attrs[missing]
    refused(store_path, f"not a complete segfeat store: .*{missing}")


def test_encoder_specs_that_lack_a_field_are_refused(store_path: Path) -> None:
    with h5py.File(store_path, "r+") as file:
        del file["features/audio"].attrs["pooling"]
    refused(store_path, "not a complete segfeat store: .*pooling")


def test_failures_know_only_the_listed_codes() -> None:
    with pytest.raises(ValueError, match="unknown failure code 'bad luck'; valid are not_found"):
        Failure("a", "bad luck", "")
    assert all(Failure("a", code, "").code == code for code in FAILURE_CODES)
