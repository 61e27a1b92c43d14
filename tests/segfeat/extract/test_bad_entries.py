"""One bad entry never ends a run: it is reported, counted and named, and everything else is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from segfeat.extraction import ExtractSummary
from segfeat.interactions import Interactions
from segfeat.store.reader import open_store

Run = Callable[..., ExtractSummary]
Copies = Callable[..., Path]


def codes(summary: ExtractSummary) -> dict[str, str]:
    return {failure.path: failure.code for failure in summary.failures}


def test_a_vanished_path_is_a_failure(copies: Copies, tmp_path: Path, run: Run) -> None:
    folder, out = copies("a.mp4", "b.mp4"), tmp_path / "f.h5"
    paths = [folder / "a.mp4", folder / "gone.mp4", folder / "nowhere" / "b.mp4", folder / "b.mp4"]
    summary = run(paths, out)
    assert codes(summary) == {"gone.mp4": "not_found", "nowhere/b.mp4": "not_found"}
    assert summary.videos == 2
    assert run(paths, out).progress.videos_done == 0
    copies("gone.mp4")
    summary = run(paths, out)
    assert codes(summary) == {"nowhere/b.mp4": "not_found"}
    assert summary.videos == 3


def test_a_path_that_vanishes_later_keeps_its_features(copies: Copies, tmp_path: Path, run: Run) -> None:
    folder, out = copies("a.mp4", "b.mp4"), tmp_path / "f.h5"
    run([folder / "a.mp4", folder / "b.mp4"], out)
    (folder / "a.mp4").unlink()
    summary = run([folder / "a.mp4", folder / "b.mp4"], out)
    assert (summary.videos, summary.gone, codes(summary)) == (2, ("a.mp4",), {})


def test_nothing_left_is_an_error(tmp_path: Path, run: Run, copies: Copies) -> None:
    with pytest.raises(ValueError, match=r"gone.mp4: no such file or folder \(and 1 more\)"):
        run([tmp_path / "gone.mp4", tmp_path / "lost.mp4"], tmp_path / "f.h5")
    with pytest.raises(ValueError, match=r"'a': one/a.mp4 and two/a.mp4; use --id path"):
        run(copies("one/a.mp4", "two/a.mp4"), tmp_path / "f.h5")
    assert not (tmp_path / "f.h5").exists()


def test_a_clash_costs_its_files_until_it_is_over(
    copies: Copies, tmp_path: Path, run: Run, make_log: Callable[..., Interactions]
) -> None:
    folder, out = copies("100/IMG_1.mp4", "101/IMG_1.mp4", "good.mp4"), tmp_path / "f.h5"
    log = make_log(("u", "good", 1, 500, 1000), ("u", "IMG_1", 2, 500, 1000))
    summary = run(folder, out, interactions=log)
    assert codes(summary) == {"100/IMG_1.mp4": "id_clash", "101/IMG_1.mp4": "id_clash"}
    assert summary.progress.failures == {"id_clash": 2}
    with open_store(out) as store:
        assert list(store) == ["good"]
    assert run(folder, out).progress.videos_done == 0
    (folder / "100" / "IMG_1.mp4").rename(folder / "100" / "IMG_2.mp4")
    summary = run(folder, out)
    assert summary.progress.videos_done == 2
    with open_store(out) as store:
        assert sorted(store) == ["IMG_1", "IMG_2", "good"]
        assert dict(zip(store, store.paths, strict=True))["IMG_1"] == "101/IMG_1.mp4"
        assert [f.path for f in store.failures] in ([], ["100/IMG_1.mp4"])


def test_a_video_of_the_store_keeps_its_id(copies: Copies, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    run(copies("one/a.mp4"), out)
    summary = run(copies("two/a.mp4", "two/b.mp4"), out)
    assert codes(summary) == {"two/a.mp4": "id_clash"}
    with open_store(out) as store:
        assert dict(zip(store, store.paths, strict=True)) == {"a": "one/a.mp4", "b": "two/b.mp4"}
    summary = run(tmp_path / "videos" / "two", out)  # the first one is not even looked at
    assert codes(summary) == {"two/a.mp4": "id_clash"}
    assert summary.progress.videos_done == 0


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wrong_rows_of_metadata_are_named(copies: Copies, tmp_path: Path, run: Run, mark: str) -> None:
    table = tmp_path / "metadata.csv"
    table.write_text(f"{mark}video_id;title\na;first\n;x\na;second\n;y\nb;other\n")
    summary = run(copies("a.mp4", "b.mp4"), tmp_path / "f.h5", metadata=table, text="offline:hashing")
    assert [line.partition(", ")[2] for line in summary.left_out] == [
        "line 3: no video_id",
        "line 4: video_id 'a' stands there a second time; the first row is kept",
        "line 5: no video_id",
    ]
    with open_store(tmp_path / "f.h5") as store:
        assert list(store.titles) == ["first", "other"]


def test_names_that_are_no_text_stand_escaped(copies: Copies, tmp_path: Path, run: Run) -> None:
    """Every string of the store is read by plain h5py, also those of failures, folders and subtitles."""
    folder = copies("\udcff.mp4", "\udce4\udce4/b.mp4", "猫.mp4", "\udcfe-broken.mp4")
    (folder / "\udcfe-broken.mp4").write_bytes(b"x")
    (folder / "\udcff.srt").write_bytes(b"1\n00:00:00,000 --> 00:00:00,900\nwords\n")
    table = tmp_path / "metadata.csv"
    table.write_bytes("video_id,title\n猫,t\xe9st\n".encode() + b"\xff,caf\xe9\n")
    run(folder, tmp_path / "f.h5", metadata=table, text="offline:hashing")
    strings: dict[str, list[str]] = {}

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype):
            strings[name] = item.asstr()[:].ravel().tolist()
            assert all(text.encode("utf-8") is not None for text in strings[name])

    with h5py.File(tmp_path / "f.h5") as file:
        file.visititems(look)
        assert all(isinstance(value, (str, bytes)) or value is not None for value in file.attrs.values())
    paths = strings["videos/path"]
    assert sum("\\xff" in path or "\\udcff" in path for path in paths) == 1
    assert "猫.mp4" in paths
    with open_store(tmp_path / "f.h5") as store:
        assert sorted(store.paths) == sorted(["\udcff.mp4", "\udce4\udce4/b.mp4", "猫.mp4"])
        assert store["\udcff"].segment_text == ("caf\ufffd words",)
        assert store["猫"].segment_text == ("tést",)
        assert [failure.path for failure in store.failures] == ["\udcfe-broken.mp4"]
    assert run(folder, tmp_path / "f.h5", metadata=table, text="offline:hashing").progress.videos_done == 0
