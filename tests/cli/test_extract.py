"""``segfeat extract`` as a user meets it: options, what it says, exit codes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segfeat.store.reader import open_store
from tests.media import Picture, make_video, overwrite

Cli = Callable[..., Any]

LIGHT = ("--preset", "offline", "--audio", "none", "--text", "none", "--workers", "1")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 6 s: two segments."""
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", [Picture(count=150)])


@pytest.fixture
def folder(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a good video, an empty one, text with a wrong name, and something else; the current one above it."""
    folder = tmp_path / "my videos"
    folder.mkdir()
    shutil.copy2(film, folder / "good one.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video at all\n" * 100)
    (folder / "notes.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_with_broken_files_is_extracted_and_says_what_happened(cli: Cli, folder: Path) -> None:
    answer = cli("segfeat", "extract", folder, *LIGHT)
    out = Path.cwd() / "feats.h5"
    assert answer.code == 0
    assert re.sub(r"in \d+:\d\d", "in 0:00", answer.out).splitlines() == [
        "read       1 video with 2 segments in 0:00",
        "failed     2 files: 1 empty_file, 1 not_a_video",
        "left alone 1 file that is no video by its name",
        f"store      {out}: 1 video, 2 segments",
        f"look       segfeat info {out}",
        f"           segfeat errors {out} says what was wrong with 2 files",
    ]
    assert re.search(r"^3/3 videos, [\d.]+ videos/s, [\d.]+ segments/s, 2 failed, 0:00 to go$", answer.err, re.M)
    errors = cli("segfeat", "errors", out).out.splitlines()
    assert [line.split("\t")[:2] for line in errors] == [["empty.mp4", "empty_file"], ["text.mp4", "not_a_video"]]


def test_a_video_read_in_part_says_what_is_missing(cli: Cli, film: Path, tmp_path: Path) -> None:
    overwrite(Path(shutil.copy2(film, tmp_path / "torn.mp4")), 0, [30, 31])
    out = tmp_path / "f.h5"
    lines = cli("segfeat", "extract", tmp_path, "-o", out, *LIGHT).out.splitlines()
    assert "partial    1 video of them: something could not be read" in lines
    assert f"           segfeat errors {out} says what was wrong with 1 file" in lines
    path, code, message = cli("segfeat", "errors", out).out.strip().split("\t")
    assert (path, code) == ("torn.mp4", "partial")
    assert message.startswith("2 x damaged video packet")
    assert "read       nothing: there are no new" in cli("segfeat", "extract", tmp_path, "-o", out, *LIGHT).out


def test_again_with_strict_quiet_and_retry(cli: Cli, folder: Path) -> None:
    assert cli("segfeat", "extract", folder, *LIGHT, "--strict").code == 3
    answer = cli("segfeat", "extract", folder, *LIGHT, "--strict")
    assert answer.code == 0  # nothing failed in this run
    assert "unchanged  3 files from earlier runs" in answer.out
    answer = cli("segfeat", "extract", folder, *LIGHT, "--strict", "--retry-failed", "--quiet")
    assert answer == (3, "", "")


def test_bad_entries_are_named_and_counted(cli: Cli, folder: Path, film: Path) -> None:
    """A vanished path, two files of one name, rows without an id and one that comes twice: none ends the run."""
    for name in ("100", "101"):
        (folder / name).mkdir()
        shutil.copy2(film, folder / name / "IMG_1.mp4")
    Path("list.txt").write_bytes(
        b"\xef\xbb\xbfmy videos/100\r\nmy videos/101\r\nmy videos/good one.mp4\r\ngone.mp4\r\n"
    )
    Path("metadata.csv").write_bytes(b"\xef\xbb\xbfvideo_id;title\r\ngood one;a\r\n;b\r\n;c\r\ngood one;d\r\n")
    arguments = ("segfeat", "extract", "--list", "list.txt", "--metadata", "metadata.csv", *LIGHT)
    dry = cli(*arguments, "--dry-run")
    assert dry.code == 0
    assert "would fail gone.mp4: not_found: no such file" in dry.out
    assert "left out   metadata.csv, line 3: no video_id" in dry.out
    answer = cli(*arguments)
    assert answer.code == 0
    assert "failed     3 files: 2 id_clash, 1 not_found" in answer.out
    assert (
        "two files would both be video 'IMG_1': my videos/100/IMG_1.mp4 and my videos/101/IMG_1.mp4; "
        "use --id path" in answer.out
    )
    for line in (
        "line 3: no video_id",
        "line 4: no video_id",
        "line 5: video_id 'good one' stands there a second time",
    ):
        assert f"left out   metadata.csv, {line}" in answer.out
    rows = [line.split("\t")[:2] for line in cli("segfeat", "errors", "feats.h5").out.splitlines()]
    assert sorted(rows) == [
        ["gone.mp4", "not_found"], ["my videos/100/IMG_1.mp4", "id_clash"], ["my videos/101/IMG_1.mp4", "id_clash"],
    ]  # fmt: skip
    assert cli(*arguments, "--strict").code == 3  # nothing is read again, but rows are still left out
    assert cli(*arguments, "--strict", "--overwrite").code == 3
    assert cli(*arguments, "--id", "path", "-o", "other.h5", "--metadata", "none.csv").code == 1


def test_of_many_bad_entries_a_few_are_shown(cli: Cli, folder: Path) -> None:
    Path("metadata.csv").write_text("video_id,title\ngood one,a\n" + ",b\n" * 12)
    answer = cli("segfeat", "extract", folder, "--metadata", "metadata.csv", *LIGHT)
    assert answer.out.count("left out") == 5
    assert "and 7 more like this" in answer.out


def test_nothing_but_failures_is_a_failure(cli: Cli, folder: Path) -> None:
    answer = cli("segfeat", "extract", folder / "empty.mp4", folder / "text.mp4", *LIGHT, "-q")
    assert answer.code == 1
    assert answer.err == f"error: no video could be read; segfeat errors {Path.cwd() / 'feats.h5'} says why\n"


def test_a_dry_run_says_what_would_be_and_writes_nothing(cli: Cli, folder: Path) -> None:
    answer = cli("segfeat", "extract", folder, *LIGHT, "--dry-run")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "to read    1 video of 0.1 minutes, 2 segments"
    assert lines[1] == "left alone 1 file that is no video by its name"
    assert re.fullmatch(r"expected   0:0\d, 0.0\d MB", lines[2])
    assert [line.split(": ")[:2] for line in lines[3:5]] == [
        ["would fail empty.mp4", "empty_file"], ["would fail text.mp4", "not_a_video"],
    ]  # fmt: skip
    assert lines[5:] == ["nothing was written (dry run)"]
    assert sorted(p.name for p in Path.cwd().iterdir()) == ["my videos"]
    cli("segfeat", "extract", folder, *LIGHT)
    assert "unchanged  3 files" in cli("segfeat", "extract", folder, *LIGHT, "--dry-run").out


def test_a_dry_run_comes_close(cli: Cli, film: Path, tmp_path: Path) -> None:
    """The size of the store is foretold within a quarter."""
    for number in range(20):
        shutil.copy2(film, tmp_path / f"{number}.mp4")
    request = (tmp_path, "-o", tmp_path / "f.h5", *LIGHT)
    [foretold] = re.findall(r"([\d.]+) MB", cli("segfeat", "extract", *request, "--dry-run").out)
    cli("segfeat", "extract", *request)
    assert float(foretold) == pytest.approx((tmp_path / "f.h5").stat().st_size / 1e6, rel=0.25, abs=0.05)


def test_all_options_reach_the_store(cli: Cli, folder: Path, film: Path) -> None:
    Path("list.txt").write_text(f"my videos/good one.mp4\n{film}\n")
    Path("metadata.csv").write_text("path,title\n" + f"{film.relative_to(film.parents[1])},A title\n")
    video = film.relative_to(film.parents[1])
    Path("log.csv").write_text(f"user_id,video_id,time_ms,play_time_ms,duration_ms\nu,{video},1,2000,3000\n")
    answer = cli(
        "segfeat", "extract", "--list", "list.txt", "-o", "out.h5", "--preset", "paper", "--visual", "none", "--audio",
        "none", "--text", "offline:hashing", "--metadata", "metadata.csv", "--interactions", "log.csv",
        "--segment-seconds", "2", "--frames-per-segment", "3", "--decoder", "pyav", "--id", "path", "--device", "cpu",
        "--workers", "2", "--video-timeout", "60", "--no-thumbnails", "-q",
    )  # fmt: skip
    assert answer == (0, "", "")
    with open_store("out.h5") as store:
        assert store.segment_s == 2.0
        assert store.header.parameters == {
            "frames_per_segment": 3, "frame_position": "start", "id_from": "path", "decoder": "pyav",
            "thumbnails": False,
        }  # fmt: skip
        assert len(store) == 2
        assert list(store.video_ids) == list(store.paths)
        assert sorted(map(len, store.titles)) == [0, 7]
        assert store.interactions is not None
        assert len(store.interactions) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "name at least one video or folder"),
        (("--nope",), 2, "No such option"),
        (("absent.mp4",), 1, "error: absent.mp4: no such file or folder"),
        (("--list", "absent.txt"), 1, "error: absent.txt: cannot read the list"),
        ((".", "--decoder", "vlc"), 2, "'vlc' is not one of 'auto', 'pyav', 'decord'"),
        ((".", "--workers", "0"), 2, "0 is not in the range x>=1"),
        ((".", "--video-timeout", "0"), 2, "0.0 is not in the range x>0"),
        ((".", "--preset", "best"), 2, "'best' is not one of 'clip', 'offline', 'multilingual', 'paper'"),
        ((".", "--visual", "resnet"), 1, "error: unknown visual encoder 'resnet'; valid are open_clip"),
        ((".", *LIGHT, "--metadata", "absent.csv"), 1, "error: absent.csv: cannot be read as metadata"),
        ((".", *LIGHT, "--interactions", "absent.csv"), 1, "error: absent.csv: no such log file"),
        ((".", *LIGHT, "--segment-seconds", "-1"), 1, "error: segment length must be a positive number"),
        ((".", *LIGHT, "-o", "no/where.h5"), 1, "no: no such folder"),
        ((".", *LIGHT, "--engine", "spark"), 2, "'spark' is not one of 'local', 'ray'"),
        ((".", *LIGHT, "--address", "auto"), 1, "the engine local takes no address"),
        ((".", *LIGHT, "--engine", "ray", "--actors", "many"), 2, "written as 2:8, not 'many'"),
        ((".", *LIGHT, "--engine", "ray", "--actors", "4:2"), 1, "actors 4:2: needed are MIN:MAX"),
        ((".", "memory://nothing", *LIGHT), 1, "files of this machine and addresses cannot be extracted together"),
        (("--manifest", "no.csv", *LIGHT), 1, "no.csv: no such manifest file"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    cli: Cli, folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    answer = cli("segfeat", "extract", *arguments)
    assert answer.code == code
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert sorted(p.name for p in Path.cwd().iterdir()) == ["my videos"]


def test_metadata_about_other_videos_is_an_error(cli: Cli, folder: Path) -> None:
    Path("metadata.csv").write_text("video_id,title\ngood-one,x\n")
    answer = cli("segfeat", "extract", folder, *LIGHT, "--metadata", "metadata.csv")
    assert answer.code == 1
    assert "metadata.csv: none of its 1 video_ids ('good-one', ...) is one of the 3 videos ('empty', ...)" in answer.err
    Path("metadata.csv").write_text("video_id,title\ngood-one,x\ngood one,y\n")
    assert "titles     1 video" in cli("segfeat", "extract", folder, *LIGHT, "--metadata", "metadata.csv").out


def test_names_that_clash_suggest_paths(cli: Cli, folder: Path) -> None:
    (folder / "sub").mkdir()
    shutil.copy2(folder / "good one.mp4", folder / "sub" / "good one.mov")
    answer = cli("segfeat", "extract", folder, *LIGHT)
    assert answer.code == 1
    assert "good one.mp4 and sub/good one.mov; use --id path" in answer.err
    assert cli("segfeat", "extract", folder, *LIGHT, "--id", "path").code == 0


def test_columns_of_the_log_are_kept_as_context(cli: Cli, folder: Path) -> None:
    Path("log.csv").write_text(
        "user_id,video_id,time_ms,duration_ms,playing_time,tab\n"
        "u,good one,1,6000,900,feed\nu,good one,2,6000,6000,search\n"
    )
    answer = cli("segfeat", "extract", folder, *LIGHT, "--interactions", "log.csv", "--context", "tab")
    assert answer.code == 0, answer.err
    with open_store("feats.h5") as store:
        assert store.interactions is not None
        codes, names = store.interactions.context["tab"]
        assert [names[c] for c in codes] == ["feed", "search"]
    missing = cli("segfeat", "extract", folder, *LIGHT, "--interactions", "log.csv", "--context", "page")
    assert missing.code != 0
    assert "page" in missing.err
