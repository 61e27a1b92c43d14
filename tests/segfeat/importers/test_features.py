"""Ready embeddings into a store that is there: the right vector at every segment, and every wrong one counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segfeat.attribute import Attribute, Users
from segfeat.importers import embeddings
from segfeat.importers.features import import_features
from segfeat.interactions import Interactions
from segfeat.store.addition import add_stores
from segfeat.store.check import check_store, left_over
from segfeat.store.conversion import compact
from segfeat.store.reader import FeatureStore, open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Line, StoreHeader, VideoFeatures

DIM = 3

SEGMENTS = {"a": 3, "b": 1, "c": 2}
"""Videos of the store that have segments; "d" has none."""


@pytest.fixture(params=["file", "parts"])
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    make_video: Callable[..., VideoFeatures],
    make_spec: Callable[..., EncoderSpec],
    make_log: Callable[..., Interactions],
) -> Path:
    """A store of four videos with audio features and everything else that a store may have."""
    header = StoreHeader(5.0, {"seed": 7}, {"audio": make_spec("audio", 2)})
    said = ((Line(0.0, 1.0, "hi", 0.5),), (), ())
    videos = [
        make_video("a", 12.0, {"audio": 2}, words={"speech": said}, thumbnails=(b"x", b"", b"yz"), path="a.mp4"),
        make_video("b", 4.0, {"audio": 2}, attributes={"tag": ("x", "y")}, problems="torn", status="partial"),
        make_video("c", 9.0, {"audio": 2}, title="süß", segment_text=("süß", "")),
        VideoFeatures("d", 0.0, np.zeros((0, 2)), {"audio": np.zeros((0, 2))}, {"audio": np.zeros(0, bool)}),
    ]
    log = make_log(("u", "a", 1, 5, 9), ("w", "b", 2, 6, 0))
    users = Users(np.array(["u"], dtype=object), {"city": Attribute.of([["Ulm"]])})
    write_store(tmp_path / "store.h5", header, videos, interactions=log, root="/films", users=users)
    if request.param == "file":
        return tmp_path / "store.h5"
    compact(tmp_path / "store.h5", tmp_path / "feats", part_bytes=1)
    assert len(list((tmp_path / "feats").glob("part-*.h5"))) > 1
    return tmp_path / "feats"


Rows = list[tuple[Any, Any, list[float] | None]]


def rows() -> Rows:
    """A vector for each segment, in no order; the numbers tell whose it is."""
    found: Rows = [(v, s, vector(v, s)) for v, n in SEGMENTS.items() for s in range(n)]
    return found[::-1]


def vector(video: str, segment: int = 0) -> list[float]:
    return [float(ord(video)), float(segment), 0.5]


def write(path: Path, given: Rows, dtype: str = "float32", per_video: bool = False) -> Path:
    """The rows in the layout that the suffix asks for; ``x.ids.h5`` is HDF5 with ids, ``x.h5`` a dataset a video."""
    ids, segments, vectors = zip(*given, strict=True)
    if path.suffix == ".parquet":
        floats = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)))
        lists = pa.array([v and list(np.array(v, dtype)) for v in vectors], floats)
        columns = {"video_id": pa.array(ids, pa.string()), "vector": lists}
        pq.write_table(pa.table(columns if per_video else {**columns, "segment": pa.array(segments)}), path)
    elif path.suffix == ".npy":
        np.save(path, np.array(vectors, dtype))
        table = pd.DataFrame({"video_id": ids, "segment": segments})
        table.drop(columns="segment" if per_video else []).to_csv(path.with_suffix(".ids.csv"), index=False)
    else:
        with h5py.File(path, "w") as file:
            if path.stem.endswith("ids"):
                file["video_id"] = list(ids)
                file["matrix"] = np.array(vectors, dtype)
                if not per_video:
                    file["segment"] = np.array(segments)
            else:
                for video in dict.fromkeys(ids):
                    own = {s: v for i, s, v in given if i == video}
                    all_own = [own[s] for s in sorted(own)]
                    file[video] = np.array(all_own[0] if per_video else all_own, dtype)
    return path


LAYOUTS = ["x.parquet", "x.npy", "x.ids.h5", "x.hdf5"]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_segment_gets_its_vector(store: Path, tmp_path: Path, name: str, dtype: str) -> None:
    summary = import_features(store, {"visual": write(tmp_path / name, rows(), dtype)})["visual"]
    assert (summary.vectors, summary.used, summary.dropped) == (6, 6, {})
    assert (summary.segments, summary.segments_with, summary.videos, summary.videos_with) == (6, 6, 4, 3)
    with open_store(store) as found:
        for video, n in SEGMENTS.items():
            assert found[video].visual.tolist() == [vector(video, s) for s in range(n)]
            assert found[video].valid["visual"].all()
        spec = found.encoders["visual"]
        assert (spec.name, spec.dim, spec.per_video) == (f"ready:{name}", DIM, False)
        assert f"6 vectors of {dtype}; sha256:" in spec.weights


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_videos_vector_is_repeated_and_marked(store: Path, tmp_path: Path, name: str) -> None:
    given: Rows = [(v, 0, vector(v)) for v in SEGMENTS]
    summary = import_features(store, {"text": write(tmp_path / name, given, per_video=True)})["text"]
    assert (summary.used, summary.segments_with, summary.videos_with) == (3, 6, 3)
    with open_store(store) as found:
        assert found.encoders["text"].per_video
        assert found["a"].text.tolist() == [vector("a")] * 3
        assert found["c"].text.tolist() == [vector("c")] * 2


def test_ids_in_a_text_file(store: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([vector("c"), vector("a")]))
    (tmp_path / "x.ids.txt").write_text("\ufeffc\na\n")
    import_features(store, {"audio": tmp_path / "x.npy"}, overwrite=True)
    with open_store(store) as found:
        assert found["a"].audio.tolist() == [vector("a")] * 3
        assert found["b"].valid["audio"].tolist() == [False]


def test_what_cannot_be_used_is_counted_by_reason(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad: Rows = [
        ("zz", 0, vector("z")), (None, 0, vector("z")), ("", 0, vector("z")), ("a", 3, vector("a", 3)),
        ("a", -1, vector("a", 3)), ("d", 0, vector("d")), ("a", 1, [9.0, 9.0, 9.0]), ("b", 0, [9.0, 9.0, 9.0]),
    ]  # fmt: skip
    given = [r for r in rows() if r[:2] not in (("c", 0), ("c", 1))]
    given += [*bad, ("c", 0, [1.0, np.nan, 1.0]), ("c", 1, [1e6, 0.0, 0.0]), ("c", 1, vector("c", 1))]
    monkeypatch.setattr(embeddings, "BLOCK_ROWS", 3)  # what is repeated stands in another block as well
    summary = import_features(store, {"visual": write(tmp_path / "x.parquet", given)})["visual"]
    assert summary.dropped == {
        "unknown video": 1,
        "missing id": 2,
        "beyond the video's last segment": 1,
        "no number of a segment": 1,
        "video of unknown length": 1,
        "repeated": 2,
        "not finite in half precision": 2,
    }
    assert summary.vectors == summary.used + sum(summary.dropped.values())
    assert (summary.used, summary.segments_with, summary.videos_with) == (5, 5, 2)
    with open_store(store) as found:
        assert found["a"].visual.tolist() == [vector("a", s) for s in range(3)]
        assert found["b"].visual.tolist() == [vector("b")]
        assert found["c"].valid["visual"].tolist() == [False, True]
        assert found["c"].visual.tolist() == [[0, 0, 0], vector("c", 1)]


def test_vectors_that_are_absent_are_not_finite(store: Path, tmp_path: Path) -> None:
    given: Rows = [("a", 0, vector("a")), ("a", 1, None)]
    summary = import_features(store, {"visual": write(tmp_path / "x.parquet", given)})["visual"]
    assert summary.dropped == {"not finite in half precision": 1}


def test_everything_else_stays_as_it_was(store: Path, tmp_path: Path) -> None:
    with open_store(store) as before:
        videos = {v: before[v] for v in before}
        thumbnails = videos["a"].thumbnails
        import_features(store, {"visual": write(tmp_path / "x.npy", rows())})
        assert before["a"].audio.shape == (3, 2)  # who has it open goes on with what was there
        with open_store(store) as after:
            assert after.content_hash != before.content_hash
            assert (after.root, after.header.parameters) == (before.root, before.header.parameters)
            assert after.interactions is not None
            assert before.interactions is not None
            assert after.interactions.fingerprint() == before.interactions.fingerprint()
            assert after.users.ids.tolist() == ["u"]
            assert after["a"].thumbnails == thumbnails
            for v, video in videos.items():
                found = after[v]
                for name in ("title", "path", "status", "problems", "segment_text", "words", "attributes"):
                    assert getattr(found, name) == getattr(video, name), name
                np.testing.assert_array_equal(found.audio, video.audio)
                np.testing.assert_array_equal(found.valid["audio"], video.valid["audio"])
    assert list(check_store(store)) == []
    assert not [name for name in (left_over(store) if store.is_dir() else []) if not name.startswith("part-")]


def test_both_forms_and_the_writer_agree(tmp_path: Path, make_video: Callable[..., VideoFeatures]) -> None:
    videos = [make_video(v, 5.0 * n) for v, n in SEGMENTS.items()]
    write_store(tmp_path / "store.h5", StoreHeader(5.0), videos)
    compact(tmp_path / "store.h5", tmp_path / "feats", part_bytes=1)
    file = write(tmp_path / "x.npy", rows())
    for path in ("store.h5", "feats"):
        import_features(tmp_path / path, {"visual": file, "audio": file})
    compact(tmp_path / "feats", tmp_path / "joined.h5")
    with FeatureStore(tmp_path / "store.h5") as one, FeatureStore(tmp_path / "joined.h5") as other:
        assert one.content_hash == other.content_hash
        with h5py.File(one.path) as raw:
            assert raw["features/visual"].id.get_offset() is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feats", "joined.h5", "store.h5", "x.ids.csv", "x.npy"]


def test_rows_that_no_longer_count_get_none(tmp_path: Path, make_video: Callable[..., VideoFeatures]) -> None:
    for name, seconds in (("old", 12.0), ("new", 4.0)):
        write_store(tmp_path / f"{name}.h5", StoreHeader(5.0), [make_video("a", seconds, path="a.mp4")])
    add_stores(tmp_path / "feats", [tmp_path / "old.h5"])
    add_stores(tmp_path / "feats", [tmp_path / "new.h5"], superseded=["a.mp4"])
    import_features(tmp_path / "feats", {"visual": write(tmp_path / "x.npy", [("a", 0, vector("a"))])})
    with open_store(tmp_path / "feats") as found:
        assert found["a"].visual.tolist() == [vector("a")]
        assert len(found) == 1


def test_what_the_store_has_is_replaced_only_when_asked(store: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "x.npy", rows())
    with (
        open_store(store) as before,
        pytest.raises(ValueError, match=r"features already: audio \(test:audio\); .*--over"),
    ):
        import_features(store, {"audio": file})
    with open_store(store) as after:
        assert after.content_hash == before.content_hash
    import_features(store, {"audio": file}, overwrite=True)
    with open_store(store) as after:
        assert (after.encoders["audio"].dim, list(after.encoders)) == (DIM, ["audio"])


def table(path: Path, **columns: object) -> None:
    pd.DataFrame(columns).to_parquet(path)


def damaged(path: Path, kind: str) -> None:
    path.write_bytes(b"no such thing")


def ids(path: Path, *lines: str) -> None:
    path.with_suffix(".ids.csv").write_text("\n".join(lines))


def hdf5(path: Path, **datasets: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    ("x.parquet", lambda p: None, "no such file of embeddings"),
    ("x.bin", lambda p: damaged(p, ""), r"unknown kind of embeddings '\.bin'; valid are \.parquet, \.npy"),
    ("x.parquet", lambda p: damaged(p, ""), "cannot be read as Parquet"),
    ("x.npy", lambda p: damaged(p, ""), "cannot be read as a numpy array"),
    ("x.h5", lambda p: damaged(p, ""), "cannot be read as HDF5"),
    ("x.parquet", lambda p: table(p, name=["a"], v=[[1.0]]), "missing column video_id or photo_id; found name, v"),
    ("x.parquet", lambda p: table(p, video_id=["a"], x=[1.0]), "one column of lists of floats is needed, not 0"),
    ("x.parquet", lambda p: table(p, video_id=["a"], v=[[1]]), "numbers of type int64; valid are float64"),
    ("x.parquet", lambda p: table(p, video_id=["a", "b"], v=[[1.0], [1.0, 2.0]]), "row 1 has 2 numbers, .* have 1"),
    ("x.parquet", lambda p: table(p, video_id=["a"], v=[[1.0]], w=[[1.0]]), "is needed, not 2"),
    ("x.npy", lambda p: np.save(p, np.ones((2, 3))), r"whose vectors\? Needed beside it is x\.ids\.csv or x\.ids\.txt"),
    ("x.npy", lambda p: np.save(p, np.ones(3)), r"a matrix \(vectors, numbers\) is needed, not shape \(3,\)"),
    ("x.npy", lambda p: np.save(p, np.ones((2, 3), np.int8)), "numbers of type int8"),
    ("x.npy", lambda p: np.save(p, np.array([{}])), "cannot be read as a numpy array"),
    ("x.npy", lambda p: (np.save(p, np.ones((2, 3))), ids(p, "video_id", "a"))[0], "csv: 1 rows for the 2 vectors"),
    ("x.npy", lambda p: (np.save(p, np.ones((1, 3))), ids(p, "name", "a"))[0], r"x\.ids\.csv: missing column video_id"),
    ("x.h5", lambda p: hdf5(p), "no dataset at its top level; it has nothing"),
    ("x.h5", lambda p: hdf5(p, a=np.ones((2, 3)), b=np.ones(3)), r"'b' has shape \(3,\) and 'a' \(2, 3\)"),
    ("x.h5", lambda p: hdf5(p, a=np.ones(3, int)), "numbers of type int64"),
    ("x.h5", lambda p: hdf5(p, video_id=["a"], m=np.ones((1, 3)), n=np.ones((1, 3))), "is needed, not 2"),
    ("x.h5", lambda p: hdf5(p, video_id=["a"], m=np.ones((2, 3))), r"video_id has shape \(1,\), the vectors are 2"),
    ("x.h5", lambda p: hdf5(p, x=np.ones(3), y=np.ones(3)), "none of its 2 vectors could be used: 2 unknown video; "
     "its ids look like 'x', the store's like 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "message"), BAD)
def test_files_that_cannot_be_used_are_named_and_nothing_changes(
    store: Path, tmp_path: Path, name: str, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / name)
    with open_store(store) as before:
        hash_before = before.content_hash
    files = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message) as error:
        import_features(store, {"visual": tmp_path / name})
    assert name.partition(".")[0] in str(error.value)
    with open_store(store) as after:
        assert after.content_hash == hash_before
    assert sorted(p.name for p in tmp_path.rglob("*")) == files


def test_other_mistakes(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such modality: smell; valid are visual, audio, text"):
        import_features(store, {"smell": tmp_path / "x"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="none given"):
        import_features(store, {})
    with pytest.raises(ValueError, match="no such store"):
        import_features(tmp_path / "none.h5", {"visual": tmp_path / "x"})
    write_store(tmp_path / "empty.h5", StoreHeader(5.0), [])
    with pytest.raises(ValueError, match="none of its 0 videos has segments"):
        import_features(tmp_path / "empty.h5", {"visual": tmp_path / "x"})
