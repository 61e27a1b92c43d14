"""Listing files: what counts as a video, whose id is whose, and names of all kinds."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from segfeat.pipeline.sources import common_root, read_list, scan
from segfeat.pipeline.titles import read_titles, with_titles


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))
    return folder


def found(paths: list[Path], id_from: str = "stem") -> list[tuple[str, str]]:
    return [(s.video_id, s.path) for s in scan(paths, common_root(paths), id_from).sources]


def test_folders_are_searched_and_sorted(tmp_path: Path) -> None:
    put(tmp_path, "b.mp4", "a/z.MKV", "a/deep/er/c.webm", "notes.txt", "b.srt", "a/._z.mkv", ".cache/d.mp4", "e")
    listed = scan([tmp_path], tmp_path)
    assert [(s.video_id, s.path) for s in listed.sources] == [
        ("c", "a/deep/er/c.webm"), ("z", "a/z.MKV"), ("b", "b.mp4"),
    ]  # fmt: skip
    assert listed.ignored == 3  # notes, the file without a suffix, and what another system left behind
    assert [s.side_files for s in listed.sources] == [(), (), ("b.srt",)]
    assert [s.size_bytes for s in listed.sources] == [16, 7, 5]
    assert all(os.stat(s.file).st_mtime_ns == s.mtime_ns for s in listed.sources)


def test_a_file_that_is_named_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    put(tmp_path, "film", "other.mp4")
    assert found([tmp_path / "film"]) == [("film", "film")]


def test_paths_are_relative_to_what_all_have_in_common(tmp_path: Path) -> None:
    put(tmp_path, "x/a.mp4", "y/b.mp4", "y/sub/c.mp4")
    assert found([tmp_path / "x"]) == [("a", "a.mp4")]
    assert found([tmp_path / "y" / "sub" / "c.mp4", tmp_path / "y" / "b.mp4"]) == [("b", "b.mp4"), ("c", "sub/c.mp4")]
    assert found([tmp_path / "x", tmp_path / "y" / "b.mp4"], "path") == [("x/a.mp4", "x/a.mp4"), ("y/b.mp4", "y/b.mp4")]


def test_what_is_named_twice_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.mp4", "sub/b.mp4")
    monkeypatch.chdir(tmp_path)
    assert found([Path("."), Path("a.mp4"), tmp_path / "sub", Path("sub/../a.mp4")]) == [
        ("a", "a.mp4"), ("b", "sub/b.mp4"),
    ]  # fmt: skip


def test_nothing_but_clashes_is_an_error_that_names_both_files_and_the_way_out(tmp_path: Path) -> None:
    put(tmp_path, "one/clip.mp4", "two/clip.mov")
    with pytest.raises(ValueError, match=r"'clip': one/clip.mp4 and two/clip.mov; use --id path"):
        found([tmp_path])
    assert found([tmp_path], "path") == [("one/clip.mp4",) * 2, ("two/clip.mov",) * 2]


def test_a_clash_leaves_out_all_its_files(tmp_path: Path) -> None:
    put(tmp_path, "100/IMG_1.mp4", "101/IMG_1.mov", "102/IMG_1.mp4", "other.mp4", "100/IMG_2.mp4", "101/IMG_2.mp4")
    clashes = {s.path: s.clash for s in scan([tmp_path], tmp_path).sources}
    three = "3 files would all be video 'IMG_1', such as 100/IMG_1.mp4 and 101/IMG_1.mov"
    two = "two files would both be video 'IMG_2': 100/IMG_2.mp4 and 101/IMG_2.mp4"
    assert {path: clash.partition(";")[0] for path, clash in clashes.items()} == {
        "100/IMG_1.mp4": three, "101/IMG_1.mov": three, "102/IMG_1.mp4": three, "100/IMG_2.mp4": two,
        "101/IMG_2.mp4": two, "other.mp4": "",
    }  # fmt: skip
    assert all(clash.endswith("use --id path to name videos by their path") for clash in clashes.values() if clash)
    assert not any(s.clash for s in scan([tmp_path], tmp_path, "path").sources)


def test_a_file_that_is_not_there_clashes_with_nothing(tmp_path: Path) -> None:
    put(tmp_path, "clip.mp4")
    sources = scan([tmp_path / "clip.mp4", tmp_path / "gone" / "clip.mp4"], tmp_path).sources
    assert [(s.path, s.clash, s.there) for s in sources] == [("clip.mp4", "", True), ("gone/clip.mp4", "", False)]


def test_ids_of_a_store_count_too(tmp_path: Path) -> None:
    put(tmp_path, "clip.mp4")
    [own] = scan([tmp_path], tmp_path, "stem", {"clip": "clip.mp4", "other": "x.mp4"}).sources
    assert not own.clash
    [taken] = scan([tmp_path], tmp_path, "stem", {"clip": "old/clip.avi"}).sources
    assert taken.clash.startswith("two files would both be video 'clip': old/clip.avi and clip.mp4;")


def test_a_folder_with_the_name_of_a_video_and_none_inside_is_reported(tmp_path: Path) -> None:
    put(tmp_path, "series.mp4/one.mp4", "nested.mp4/deep/two.mp4", "bundle.mov/readme.txt")
    (tmp_path / "empty.mp4").mkdir()
    assert [path for _, path in found([tmp_path])] == [
        "bundle.mov", "empty.mp4", "nested.mp4/deep/two.mp4", "series.mp4/one.mp4"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["mit Leerzeichen", "電影", "a'b\"c", "-o", "%d", "a\nb", "x" * 200, "\udcff\udcfe"])
def test_names_of_all_kinds(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}.mp4")
    assert found([tmp_path]) == [(name, f"{name}.mp4")]


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path, "real/a.mp4", "root/b.mp4")
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "broken.mp4").symlink_to(tmp_path / "nothing.mp4")
    assert found([tmp_path / "root"]) == [("b", "b.mp4"), ("broken", "broken.mp4"), ("a", "linked/a.mp4")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "shut/b.mp4")
    (tmp_path / "shut").chmod(0)
    listed = scan([tmp_path], tmp_path)
    (tmp_path / "shut").chmod(0o700)
    assert listed.unlisted == {"shut": "Permission denied"}
    assert [s.path for s in listed.sources] == ["a.mp4"]


def test_a_folder_that_cannot_be_listed_is_reported_also_to_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.mp4", "shut/b.mp4")
    look = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listed = scan([tmp_path], tmp_path)
    assert listed.unlisted == {"shut": "Permission denied"}
    assert [s.path for s in listed.sources] == ["a.mp4"]


def test_nothing_named_and_nothing_there_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no videos named"):
        common_root([])
    with pytest.raises(ValueError, match=r"absent: no such file or folder \(and 1 more\)"):
        common_root([tmp_path, tmp_path / "absent", tmp_path / "gone"])


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_is_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4\n\n# not this\n  sub/b c.mp4  \n/abs/c.mp4\n")
    assert read_list(tmp_path / "list.txt") == [f"{tmp_path}/a.mp4", f"{tmp_path}/sub/b c.mp4", "/abs/c.mp4"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa.mp4\r\n# no\r\n\xe7\x8c\xab.mp4\r\n",
        "\ufeffa.mp4\r\n\r\n猫.mp4".encode("utf-16-le"),
        "\ufeffa.mp4\n猫.mp4\n".encode("utf-16-be"),
        b"a.mp4\0\xe7\x8c\xab.mp4\0",
        b"a.mp4\r\xe7\x8c\xab.mp4\r",
    ],
)
def test_marks_and_ends_of_lines_are_no_part_of_names(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(data)
    assert read_list(tmp_path / "list.txt") == [f"{tmp_path}/a.mp4", f"{tmp_path}/猫.mp4"]


def test_odd_characters_of_names_do_not_cut_them(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("a\u2028b\x0bc\x85.mp4\n".encode() + b"\xff.mp4\n")
    assert read_list(tmp_path / "list.txt") == [f"{tmp_path}/a\u2028b\x0bc\x85.mp4", f"{tmp_path}/\udcff.mp4"]


def test_a_list_without_names_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# nothing\n\n")
    with pytest.raises(ValueError, match=r"list.txt: the list names no video"):
        read_list(tmp_path / "list.txt")
    with pytest.raises(ValueError, match=r"absent.txt: cannot read the list: No such file"):
        read_list(tmp_path / "absent.txt")


# -- titles ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "metadata.csv").write_text(text)
        return tmp_path / "metadata.csv"

    return write


def test_titles_by_id_put_the_title_first(tmp_path: Path, table: Callable[[str], Path]) -> None:
    path = table("tags,video_id,title\ncats  dogs,a,Two  friends\n,b,\nx,unknown,y\n")
    sources = scan([put(tmp_path / "v", "a.mp4", "b.mp4", "c.mp4")], tmp_path / "v").sources
    assert [s.title for s in with_titles(sources, path)] == ["Two friends cats dogs", "", ""]


def test_titles_by_path_and_ids_stay_words(tmp_path: Path, table: Callable[[str], Path]) -> None:
    path = table("path,title\nsub/007.mp4,NA\n")
    sources = scan([put(tmp_path / "v", "sub/007.mp4")], tmp_path / "v").sources
    assert [s.title for s in with_titles(sources, path)] == ["NA"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,title\na,b\n", "missing column video_id or path; found name, title"),
        ("video_id\na\n", "no text column besides video_id"),
        ("video_id,title,title\na,b,c\n", "the column title stands there twice"),
        ("video_id,title\n,b\n,c\n", "none of its 2 rows can be used: the last one, in line 3: no video_id"),
        ("", "cannot be read as metadata"),
    ],
)
def test_wrong_metadata_is_an_error(table: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read_titles(table(text))
    assert "metadata.csv" in str(error.value)


def test_a_wrong_row_costs_itself(table: Callable[[str], Path]) -> None:
    notes: list[str] = []
    path = table('video_id,title\na,b\n,first\n \t,second\na ,c\nd,Hello, world\ne\n\nf,,\ng,"x\ny"\nh\0,i\0j\n')
    titles = {"a": "b", "e": "", "f": "", "g": "x y", "h\0": "i j"}
    assert read_titles(path, notes.append) == ("video_id", titles)
    assert [note.removeprefix(f"{path}, ") for note in notes] == [
        "line 3: no video_id",
        "line 4: no video_id",
        "line 5: video_id 'a' stands there a second time; the first row is kept",
        "line 6: 3 cells in 2 columns; a text with a separator in it needs quotes",
    ]


@pytest.mark.parametrize(
    "data",
    [
        'video_id;title\r\nv1;"hello ""x"", world"\r\nv2;今天\r\n'.encode(),
        b"\xef\xbb\xbf" + 'video_id,title\nv1,"hello ""x"", world"\nv2,今天\n'.encode(),
        '\ufeffvideo_id\ttitle\nv1\thello "x", world\nv2\t今天\n'.encode("utf-16-le"),
        gzip.compress('title,video_id\n"hello ""x"", world",v1\n今天,v2\n'.encode()),
        'video_id|title\nv1|hello "x", world\nv2|今天\nv3|我觉得这个真的很好吃\n'.encode("gb18030"),
        b'{"video_id": "v1", "title": "hello \\"x\\", world"}\n' + '{"video_id": "v2", "title": "今天"}'.encode(),
    ],
    ids=["semicolons", "byte-order mark", "UTF-16 with tabs", "gzip", "GB 18030", "JSON lines"],
)
def test_tables_of_other_programs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes(data)
    key, titles = read_titles(path)
    titles.pop("v3", None)
    assert (key, titles) == ("video_id", {"v1": 'hello "x", world', "v2": "今天"})


def test_bytes_that_are_no_characters_cost_themselves(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes("path,title\n一.mp4,猫咪\n二.mp4,狗\n".encode() + b"\xff.mp4,a\xe9b\n")
    assert read_titles(path) == ("path", {"一.mp4": "猫咪", "二.mp4": "狗", "\udcff.mp4": "a\ufffdb"})
