"""Exports read back: what other tools find in the files is what the store has, whatever the store's form."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from segfeat.attribute import Attribute, Users
from segfeat.exporters import EXPORTERS, exporter
from segfeat.exporters.export import export_store
from segfeat.failures import Failure
from segfeat.interactions import Categories, Interactions
from segfeat.log_file import read_interactions
from segfeat.store import frames
from segfeat.store.conversion import compact
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures
from segfeat_cli.segfeat import segfeat as segfeat_group

DIMS = {"visual": 4, "text": 3}


@pytest.fixture(scope="module")
def file(
    make_spec: Callable[..., EncoderSpec],
    make_video: Callable[..., VideoFeatures],
    make_log: Callable[..., Interactions],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Nine videos, some segments without words, one video without segments; a log, users, a failure."""
    videos = []
    for i in range(9):
        video = make_video(f"v/{i}.x", 3.0 + 4.0 * i, DIMS, seed=i, path=f"{i}.mp4", title=f"T,{i}\n")
        n = len(video.spans_s)
        valid = {"visual": np.ones(n, bool), "text": np.arange(n) % 3 != i % 3}
        features = {m: np.where(valid[m][:, None], v, 0) for m, v in video.features.items()}
        videos.append(
            replace(
                video,
                valid=valid,
                features=features,
                segment_text=tuple(f"字 {k}" if k % 2 else "" for k in range(n)),
                thumbnails=tuple(b"RIFF" + bytes([k]) for k in range(n)) if i % 2 else (),
                attributes={"tags": ("food", "dance")[: i % 3], "path": (f"p{i}",)},
            )
        )
    log = replace(
        make_log(("u", "v/1.x", 1, 5, 9), ("b", "v/0.x", 2, 6, 0)),
        context={"tab": Categories(np.array([1, -1], np.int32), np.array(["b", "a"], dtype=object))},
    )
    out = tmp_path_factory.mktemp("export") / "feats.h5"
    header = StoreHeader(5.0, {"seed": 7}, {m: make_spec(m, d) for m, d in DIMS.items()})
    users = Users(np.array(["u", "b"], dtype=object), {"age": Attribute.of([["18-30"], []])})
    failures = [Failure("broken.mp4", "unreadable", "broken.mp4: no", 3, 4)]
    write_store(out, header, videos, failures, log, users=users)
    return out


@pytest.fixture(scope="module", params=["file", "parts"])
def store(request: pytest.FixtureRequest, file: Path) -> Path:
    if request.param == "file":
        return file
    folder = file.parent / "parts"
    compact(file, folder, part_bytes=1)
    return folder


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that even these few videos come in several."""
    monkeypatch.setattr(frames.pieces, "__defaults__", (7,))


Rows = dict[tuple[str, int], tuple[float, float, str, dict[str, np.ndarray]]]
"""(video, segment) -> start_s, end_s, text and the vectors of the modalities that it has."""


def rows_of(path: Path) -> Rows:
    with FeatureStore(path) as store:
        return {
            (video.video_id, k): (
                *video.spans_s[k].tolist(),
                video.segment_text[k],
                {m: v[k] for m, v in video.features.items() if video.valid[m][k]},
            )
            for video in map(store.video_at, range(len(store)))
            for k in range(len(video.spans_s))
        }


def read_parquet(folder: Path) -> Rows:
    found = parquet.read_table(folder / "segments.parquet")
    return {
        (r["video_id"], r["segment"]): (
            r["start_s"], r["end_s"], r["words"], {m: np.array(r[m]) for m in DIMS if r[m] is not None},
        )
        for r in found.to_pylist()
    }  # fmt: skip


def read_npy(folder: Path) -> Rows:
    arrays = {m: np.load(folder / f"{m}.npy", mmap_mode="r") for m in DIMS}
    valid = {m: np.load(folder / f"{m}_valid.npy") for m in DIMS}
    with (folder / "segments.csv").open(newline="", encoding="utf-8") as lines:
        return {
            (r["video_id"], int(r["segment"])): (
                float(r["start_s"]), float(r["end_s"]), r["words"],
                {m: arrays[m][i] for m in DIMS if valid[m][i]},
            )
            for i, r in enumerate(csv.DictReader(lines))
        }  # fmt: skip


def read_webdataset(folder: Path) -> Rows:
    samples: dict[str, dict[str, bytes]] = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")  # as WebDataset groups files
                samples.setdefault(key, {})[kind] = tar.extractfile(member).read()  # type: ignore[union-attr]
    found: Rows = {}
    for sample in samples.values():
        facts = json.loads(sample["json"])
        vectors = {m: np.load(io.BytesIO(sample[f"{m}.npy"])) for m in DIMS if f"{m}.npy" in sample}
        found[facts["video_id"], facts["segment"]] = (facts["start_s"], facts["end_s"], facts["words"], vectors)
    return found


READERS: dict[str, Callable[[Path], Rows]] = {
    "parquet": read_parquet,
    "npy": read_npy,
    "webdataset": read_webdataset,
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_segment_reads_back_equal(store: Path, tmp_path: Path, name: str) -> None:
    expected = rows_of(store)
    assert export_store(store, tmp_path / "out", name) == len(expected) > 20
    found = READERS[name](tmp_path / "out")
    assert list(found) == list(expected)
    for key, (start_s, end_s, words, vectors) in expected.items():
        assert found[key][:3] == (start_s, end_s, words)
        assert found[key][3].keys() == vectors.keys()
        for modality, vector in vectors.items():
            assert np.array_equal(found[key][3][modality], vector)


def test_pictures_go_along(file: Path, tmp_path: Path) -> None:
    export_store(file, tmp_path / "out", "webdataset")
    with tarfile.open(tmp_path / "out" / "segments-000000.tar") as tar:
        [name] = [n for n in tar.getnames() if n.endswith("_00000.webp")][:1]
        assert tar.extractfile(name).read() == b"RIFF\0"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", EXPORTERS)
def test_what_is_no_segment_stands_beside(store: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    export_store(store, folder, name)
    with FeatureStore(store) as opened:
        facts = json.loads((folder / "store.json").read_text())
        assert (facts["format"], facts["content_hash"], facts["segment_s"]) == (name, opened.content_hash, 5.0)
        assert facts["encoders"]["visual"] == opened.encoders["visual"].attributes()
        videos = pd.read_parquet(folder / "videos.parquet")
        assert videos.video_id.tolist() == opened.video_ids.tolist()
        assert videos.title[3] == "T,3\n"
        assert [*map(list, videos.tags)][:3] == [[], ["food"], ["food", "dance"]]
        assert [*map(list, videos["attribute path"])][4] == ["p4"]
        log = read_interactions(folder / "interactions.parquet", context=["tab"])
        assert log.user_ids[log.user].tolist() == ["u", "b"]
        assert log.video_ids[log.video].tolist() == ["v/1.x", "v/0.x"]
        known = opened.interactions
        assert known is not None
        for column in ("time_ms", "watch_ms", "duration_ms"):
            assert getattr(log, column).tolist() == getattr(known, column).tolist()
        assert log.context["tab"].names[log.context["tab"].codes[0]] == "a"
        assert log.context["tab"].codes[1] == -1
    users = pd.read_parquet(folder / "users.parquet")
    assert [*map(list, users.age)] == [["18-30"], []]
    assert pd.read_parquet(folder / "failures.parquet").code.tolist() == ["unreadable"]


def test_a_store_as_a_frame(store: Path) -> None:
    with FeatureStore(store) as opened:
        plain, visual, words = opened.to_frame(), opened.to_frame("visual"), opened.to_frame("text")
        assert list(plain) == ["video_id", "segment", "start_s", "end_s", "words"]
        assert list(visual)[5:] == [f"visual_{k}" for k in range(4)]
        assert np.array_equal(visual[visual.video_id == "v/7.x"].iloc[:, 5:], opened["v/7.x"].visual.astype(np.float32))
        assert np.array_equal(words.text_0.notna(), opened.valid("text"))
        with pytest.raises(ValueError, match="no audio features; it has visual, text"):
            opened.to_frame("audio")


def test_a_store_and_its_videos_in_a_notebook(store: Path) -> None:
    with FeatureStore(store) as opened:
        page = opened._repr_html_()
        assert '<td style="text-align:left">9</td>' in page
        assert "2 views" in page
        video = opened["v/7.x"]._repr_html_()
    assert video.count("data:image/webp;base64,") == 7
    assert "字 1" in video
    assert "food" in video


def test_an_export_appears_whole_and_replaces_only_exports(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_store(file, out)
    with pytest.raises(ValueError, match="exists already; --overwrite"):
        export_store(file, out)
    export_store(file, out, "npy", overwrite=True)
    assert not (out / "segments.parquet").exists()
    (out / "store.json").unlink()
    with pytest.raises(ValueError, match="is no export"):
        export_store(file, out, overwrite=True)
    with pytest.raises(ValueError, match="no such store"):
        export_store(tmp_path / "none.h5", tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with pytest.raises(ValueError, match="valid are parquet, npy, webdataset"):
        exporter("tfrecord")


def test_the_command(file: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(
        segfeat_group, ["export", str(file), "-o", str(tmp_path / "e"), "--format", "npy", "--json"]
    )
    assert run.exit_code == 0, run.output
    assert json.loads(run.output)["segments"] == len(rows_of(file))
    assert np.load(tmp_path / "e" / "visual.npy").shape[1] == 4
