"""``segfeat info`` and ``segfeat errors`` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segfeat.failures import FAILURE_CODES, Failure
from segfeat.interactions import Interactions
from segfeat.store.reader import open_store
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Line, StoreHeader, VideoFeatures

Cli = Callable[..., Any]


@pytest.fixture
def store(
    tmp_path: Path,
    make_spec: Callable[..., EncoderSpec],
    make_video: Callable[..., VideoFeatures],
    make_log: Callable[..., Interactions],
) -> Path:
    header = StoreHeader(5.0, {"id": "stem"}, {"audio": make_spec("audio", 2)})
    loud = make_video("loud", 12.0, {"audio": 2}, decoder="pyav", segment_text=("Hello\nthere", "x" * 80, ""),
                      title="Hello", words={"speech": ((), (Line(5.0, 6.0, "x", 0.5),), ())})  # fmt: skip
    mute = make_video("mute", 4.5, {"audio": 2}, status="partial", problems="2 x a torn picture")
    loud.valid["audio"][:] = [True, False, True]
    mute.valid["audio"][:] = False
    odd = b"odd \xff.mp4".decode("utf-8", "surrogateescape")
    failures = [Failure("b.mp4", "no_frames", "nothing\ndecodes"), Failure(odd, "empty_file", "0 bytes")]
    log = make_log(("u", "loud", 1, 12_000, 12_000), ("v", "gone", 1, 5, 9_000))
    write_store(tmp_path / "store.h5", header, [loud, mute], failures, log, root="/films")
    return tmp_path / "store.h5"


def test_the_overview(cli: Cli, store: Path) -> None:
    answer = cli("segfeat", "info", store)
    assert (answer.code, answer.err) == (0, "")
    with open_store(store) as opened:
        content_hash = opened.content_hash
    overview, table, hint = answer.out.split("\n\n")
    assert overview.splitlines() == [
        str(store),
        "videos        2, 1 of them partial, from /films",
        "segments      4 of 5 s",
        "length        0.3 minutes",
        "audio         test:audio, 2 dimensions",
        "              for 2 segments in 1 videos",
        "              model none; weights none",
        "              mean",
        "words         2 segments in 1 videos",
        "              title: 3 segments in 1 videos",
        "              speech: 1 segments in 1 videos",
        "failures      2",
        "              1 × no_frames",
        "              1 × empty_file",
        "interactions  2 views by 2 users of 2 videos",
        "              50.0% watched to the end",
        "              1 views of videos that are not in the store",
        "made with     id = stem",
        f"file          {store.stat().st_size / 1e6:.2f} MB, format 2",
        f"content hash  {content_hash}",
    ]
    assert [line.split() for line in table.splitlines()] == [
        ["video", "seconds", "segments", "status", "sound", "decoder", "words", "from", "words"],
        ["loud", "12.00", "3", "ok", "2/3", "pyav", "title+speech", "Hello", "there", "/", "x" * 45 + "…"],
        ["mute", "4.50", "1", "partial", "none", "-", "-", "-"],
    ]
    assert hint == f"what was wrong with failed and partial files: segfeat errors {store}\n"


def test_videos_are_listed_unasked_only_in_small_stores(
    cli: Cli, tmp_path: Path, make_video: Callable[..., VideoFeatures]
) -> None:
    path = tmp_path / "store.h5"
    write_store(path, StoreHeader(5.0), [make_video(f"video-{i}", 3.0) for i in range(51)])
    assert "video-7" not in cli("segfeat", "info", path).out
    assert "video-7" in cli("segfeat", "info", path, "--videos").out
    assert "video_table" not in json.loads(cli("segfeat", "info", path, "--json").out)
    write_store(path, StoreHeader(5.0), [make_video(f"video-{i}", 3.0) for i in range(50)])
    assert "video-7" in cli("segfeat", "info", path).out
    assert "video-7" not in cli("segfeat", "info", path, "--no-videos").out


def test_json_has_everything(cli: Cli, store: Path) -> None:
    content = json.loads(cli("segfeat", "info", store, "--json").out)
    assert content["videos"] == 2
    assert content["modalities"]["audio"]["encoder"]["pooling"] == "mean"
    assert content["failure_codes"] == {"no_frames": 1, "empty_file": 1}
    assert content["interactions"]["completed_share"] == 0.5
    assert content["failed_files"][0]["message"] == "nothing\ndecodes"
    assert content["video_table"][0]["words"] == ["Hello\nthere", "x" * 80]
    assert content["video_table"][1] == {
        "id": "mute",
        "path": "",
        "duration_s": 4.5,
        "segments": 1,
        "status": "partial",
        "problems": "2 x a torn picture",
        "decoder": "",
        "sound_segments": 0,
        "words": [],
        "words_from": {},
    }


def test_errors_are_one_line_a_file(cli: Cli, store: Path) -> None:
    answer = cli("segfeat", "errors", store)
    assert answer.code == 0
    lines = [line.split("\t") for line in answer.out.splitlines()]
    assert lines[0] == ["b.mp4", "no_frames", "nothing decodes"]
    assert lines[1][1:] == ["empty_file", "0 bytes"]
    assert lines[1][0] == "odd \\udcff.mp4"
    assert lines[2:] == [["mute", "partial", "2 x a torn picture"]]


def test_errors_as_json_say_what_a_code_means(cli: Cli, store: Path) -> None:
    first, second, third = json.loads(cli("segfeat", "errors", store, "--json").out)
    assert (first["path"], first["code"], first["meaning"]) == ("b.mp4", "no_frames", FAILURE_CODES["no_frames"])
    assert second["message"] == "0 bytes"
    assert (third["code"], third["meaning"]) == (
        "partial",
        "the video is in the store, but some of it could not be read",
    )


def test_no_errors_are_an_empty_list(cli: Cli, tmp_path: Path) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), [])
    answer = cli("segfeat", "errors", tmp_path / "store.h5")
    assert (answer.code, answer.out, answer.err) == (0, "", "no failures\n")
    assert json.loads(cli("segfeat", "errors", tmp_path / "store.h5", "--json").out) == []


@pytest.mark.parametrize("command", ["info", "errors"])
def test_what_is_no_store_is_one_line_and_exit_1(cli: Cli, tmp_path: Path, command: str) -> None:
    (tmp_path / "text.h5").write_text("hello")
    for name, message in (("absent.h5", "no such store"), ("text.h5", "not an HDF5 file")):
        answer = cli("segfeat", command, tmp_path / name)
        assert answer.code == 1
        assert answer.out == ""
        assert answer.err.startswith(f"error: {tmp_path / name}: {message}")
        assert answer.err.count("\n") == 1
