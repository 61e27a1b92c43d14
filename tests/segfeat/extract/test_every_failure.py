"""Every reason why a file gives no video, driven through a whole extraction beside a good file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segfeat.decode import DECODERS
from segfeat.encoders import registry
from segfeat.encoders.registry import EncoderEntry
from segfeat.extraction import ExtractSummary
from segfeat.failures import FAILURE_CODES
from segfeat.store.reader import open_store
from tests.media import Picture, Sound, make_video, overwrite, retag

Run = Callable[..., ExtractSummary]

DAY = 24 * 3600 * 1000
"""Ticks of a millisecond."""

EXPECTED = {
    "gone.mp4": ("not_found", "no such file"),
    "one/clip.mp4": ("id_clash", "'clip': one/clip.mp4 and two/clip.mp4; use --id path"),
    "two/clip.mp4": ("id_clash", "'clip': one/clip.mp4 and two/clip.mp4; use --id path"),
    "pipe.mp4": ("unreadable", "a pipe, no file"),
    "folder.mp4": ("unreadable", "a folder, no file"),
    "empty.mp4": ("empty_file", "the file is empty"),
    "text.mp4": ("not_a_video", "not readable as a video"),
    "headless.mp4": ("not_a_video", "cut off or still being written: its index (moov) is missing"),
    "song.mp4": ("no_video_stream", "has no video stream"),
    "foreign.mp4": ("unsupported_codec", "no decoder for its video stream"),
    "locked.mp4": ("encrypted", "its pictures are encrypted"),
    "days.mkv": ("broken_timestamps", "3 pictures in"),
    "dead.mp4": ("no_frames", "no picture of the h264 stream can be decoded"),
    "endless.mp4": ("no_duration", "span 278 hours"),
    "refused.mp4": ("decoder_refused", "would get this file wrong"),
    "alter.mp4": ("changed", "changed while it was read"),
    "hang.mp4": ("timeout", "no progress in 4 s"),
    "crash.mp4": ("crashed", "killed by SIGSEGV: something broke"),
    "glaring.mp4": ("bad_features", "not finite"),
    "fail.mp4": ("internal", "RuntimeError: no such thing"),
    "eat.mp4": ("internal", "fewer --workers"),
}


@pytest.fixture
def wild(copies: Callable[..., Path]) -> Path:
    """The files, and two good ones; ``gone.mp4`` is not among them."""
    told = [name for name, (code, _) in EXPECTED.items() if code in TOLD_BY_NAME]
    folder = copies("a good one.mp4", "z.mp4", "one/clip.mp4", "two/clip.mp4", "foreign.mp4", "locked.mp4", *told)
    whole = (folder / "z.mp4").read_bytes()
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder.mp4").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all\n" * 50)
    (folder / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    shutil.move(make_video(folder / "song.m4a", [], [Sound()]), folder / "song.mp4")
    retag(folder / "foreign.mp4", b"avc1", b"zzzz")
    retag(folder / "locked.mp4", b"avc1", b"encv")
    make_video(folder / "days.mkv", [Picture(pts=[0, DAY, 2 * DAY])])
    overwrite(make_video(folder / "dead.mp4", [Picture(count=10)]), 0, range(10))
    make_video(folder / "glaring.mp4", [Picture(count=10, first_number=4080)])
    return folder


TOLD_BY_NAME = ("no_duration", "decoder_refused", "changed", "timeout", "crashed", "internal")
"""Reasons that `tests.segfeat.extract.tasks.TroubledReader` makes up for files of such names."""


def test_every_reason_costs_its_file_alone(
    wild: Path, tmp_path: Path, run: Run, troubled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EncoderEntry("visual", "tests.segfeat.extract.tasks:Glaring", "glaring:x")
    monkeypatch.setitem(registry.ENCODERS, "glaring", entry)  # type: ignore[arg-type]
    options: dict[str, Any] = {"decoder": troubled, "visual": "glaring:x", "video_timeout_s": 4.0, "workers": 2}
    summary = run([wild, wild / "gone.mp4"], tmp_path / "f.h5", **options)
    found = {failure.path: (failure.code, failure.message) for failure in summary.failures}
    assert {path: code for path, (code, _) in found.items()} == {path: code for path, (code, _) in EXPECTED.items()}
    for path, (code, reason) in EXPECTED.items():
        assert found[path][1].startswith(f"{path}: ")
        assert reason in found[path][1]
        assert code != "internal" or "--retry-failed reads it again" in found[path][1]
    codes = {code for code, _ in EXPECTED.values()}
    assert codes | {"decoder_missing"} == set(FAILURE_CODES)  # which costs the run, see below
    with open_store(tmp_path / "f.h5") as store:
        assert list(store) == ["a good one", "z"]
        assert list(store.status) == ["ok", "ok"]
    assert sum(summary.progress.failures.values()) == len(EXPECTED)

    again = run([wild, wild / "gone.mp4"], tmp_path / "f.h5", **options)
    assert again.progress.videos_done == 1  # the one that changed
    assert len(again.failures) == len(EXPECTED) - 1


def test_a_decoder_that_is_not_installed_ends_the_run_at_once(
    copies: Callable[..., Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECODERS, "absent", "tests.segfeat.extract.tasks:AbsentReader")
    with pytest.raises(ValueError, match="not installed; use the decoder auto"):
        run(copies("a.mp4", "b.mp4"), tmp_path / "f.h5", decoder="absent")
    assert not (tmp_path / "f.h5").exists()


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path, copies: Callable[..., Path], run: Run) -> None:
    """Nobody waits for somebody to write into them, however they are named."""
    os.mkfifo(tmp_path / "pipe")
    folder = copies("a.mp4")
    (folder / "tap.mp4").symlink_to("/dev/zero")
    summary = run([folder, tmp_path / "pipe", "/dev/null"], tmp_path / "f.h5", video_timeout_s=5.0)
    assert summary.videos == 1
    messages = sorted(failure.message.partition(": ")[2] for failure in summary.failures)
    assert messages == ["a device, no file", "a device, no file", "a pipe, no file"]
    assert {failure.code for failure in summary.failures} == {"unreadable"}
