"""Extraction into a store in parts: the same content, and additions that leave the old parts alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segfeat.extraction import ExtractSummary, extract
from segfeat.interactions import Interactions
from segfeat.pipeline.job import job_folder
from segfeat.store.check import check_store
from segfeat.store.conversion import compact
from segfeat.store.manifest import read_manifest
from segfeat.store.reader import open_store
from tests.media import Picture, make_video

Run = Callable[..., ExtractSummary]


def test_a_name_without_suffix_is_a_store_in_parts_of_the_same_content(
    run: Run, copies: Callable[..., Path], tmp_path: Path, content: Callable[[Path], str]
) -> None:
    folder = copies("a.mp4", "b.mp4", "sub/c.mp4")
    run(folder, tmp_path / "feats.h5")
    summary = run(folder, tmp_path / "feats")
    assert (summary.videos, summary.progress.videos_done) == (3, 3)
    assert not job_folder(tmp_path / "feats").exists()
    compact(tmp_path / "feats", tmp_path / "again.h5")
    assert content(tmp_path / "again.h5") == content(tmp_path / "feats.h5")


def test_additions_changes_and_failures_leave_old_parts_as_they_were(
    run: Run, copies: Callable[..., Path], tmp_path: Path, make_log: Callable[..., Interactions]
) -> None:
    folder, out = copies("a.mp4", "b.mp4"), tmp_path / "feats"
    (folder / "bad.mp4").write_bytes(b"no video")
    run(folder, out, interactions=make_log(("u", "a", 1_700_000_000_000, 5000, 1000)))
    first = {p.file: (out / p.file).stat().st_mtime_ns for p in read_manifest(out).parts}

    make_video(folder / "b.mp4", [Picture(count=150)])  # another film under an old name, and one that is mended
    make_video(folder / "bad.mp4", [Picture(count=25)])
    copies("c.mp4")
    summary = run(folder, out)
    assert (summary.videos, summary.progress.videos_done, summary.failures) == (4, 3, ())
    with open_store(out) as store:
        assert sorted(store) == ["a", "b", "bad", "c"]
        assert store["b"].duration_s == pytest.approx(6.0)
        assert store.interactions is not None
        assert len(store.interactions) == 1
    assert {name: (out / name).stat().st_mtime_ns for name in first} == first
    assert list(check_store(out)) == []

    before = read_manifest(out).content_hash
    assert run(folder, out).progress.videos_done == 0
    assert read_manifest(out).content_hash == before


def test_overwriting_starts_anew(run: Run, copies: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "feats"
    run(copies("a.mp4", "b.mp4"), out)
    os.unlink(tmp_path / "videos/b.mp4")
    run(tmp_path / "videos", out, overwrite=True)
    with open_store(out) as store:
        assert list(store) == ["a"]


def test_a_folder_of_other_things_is_refused(run: Run, copies: Callable[..., Path], tmp_path: Path) -> None:
    folder: Any = copies("a.mp4")
    with pytest.raises(ValueError, match="a folder of other things"):
        extract(folder, folder, preset="offline")
