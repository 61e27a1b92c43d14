"""Words: sidecar files however badly written, embedded tracks, and the text of a span."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segfeat.decode import Cue, open_video
from segfeat.decode.subtitles import find_sidecar, parse_cues, read_sidecar, span_text
from tests.media import Picture, make_video

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> there,
{\\an8}world &amp; all

2
00:01:00,250 --> 00:01:01,000
Second
"""


def test_subrip() -> None:
    assert parse_cues(SRT) == [Cue(1.0, 2.5, "Hello there, world & all"), Cue(60.25, 61.0, "Second")]


def test_webvtt() -> None:
    text = (
        "WEBVTT - a title\n\nNOTE nothing\nhere\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start position:10%\n<v Ann>Hi <00:01.500><c.red>you</c>\n\n"
        "01:00:00.000 --> 01:00:01.000\n- late\n"
    )
    assert parse_cues(text) == [Cue(1.0, 2.0, "Hi you"), Cue(3600.0, 3601.0, "- late")]


def test_careless_files_keep_what_makes_sense() -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\nno blank line after\n2\n00:00:03,000 --> 00:00:04,000\nnext\n\n"
        "3\n00:00:06,000 --> 00:00:05,000\nends before it starts\n\n"
        "4\n00:00:xx,000 --> 00:00:05,000\nno time\n\n5\n0:0:7.5 --> 0:0:8.25\nshort forms\n\n"
        "6\n00:00:09,000 --> 00:00:10,000\n\n7\n00:00:00,000 --> 00:00:00,500\nfirst in time"
    )
    assert [(cue.start_s, cue.end_s, cue.text) for cue in parse_cues(text)] == [
        (0.0, 0.5, "first in time"),
        (1.0, 2.0, "no blank line after"),
        (3.0, 4.0, "next"),
        (7.5, 8.25, "short forms"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, newline: str, tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nÇa va, José?\n".replace("\n", newline)
    data = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    (tmp_path / "a.srt").write_bytes(data)
    assert read_sidecar(tmp_path / "a.srt") == [Cue(1.0, 2.0, "Ça va, José?")]


@given(st.one_of(st.text(), st.lists(st.sampled_from([*SRT.split("\n"), "WEBVTT", "-->", "{\\", "<"])).map("\n".join)))
@example("00:00:01,000 --> 00:00:02,000\n" + "<" * 5000)
def test_no_text_breaks_the_parser(text: str) -> None:
    cues = parse_cues(text)
    assert cues == sorted(cues, key=lambda cue: cue.start_s)
    assert all(cue.end_s > cue.start_s and cue.text for cue in cues)


@given(st.binary(max_size=300), st.integers(0, len(SRT) - 1))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    path = tmp_path_factory.mktemp("srt") / "a.srt"
    data = SRT.encode()
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    for cue in read_sidecar(path):
        assert cue.text
        cue.text.encode("utf-8")


def test_the_text_of_a_span_is_that_of_overlapping_cues_each_once() -> None:
    cues = [Cue(0.0, 2.0, "one"), Cue(2.0, 3.0, "two"), Cue(2.5, 4.0, "one"), Cue(4.0, 5.0, "three")]
    assert span_text(cues, 0.0, 4.0) == "one two"
    assert span_text(cues, 2.0, 2.1) == "two"
    assert span_text(cues, 4.0, 9.0) == "three"
    assert span_text(cues, 5.0, 9.0) == ""


def test_the_sidecar_has_the_videos_name(tmp_path: Path) -> None:
    video = tmp_path / "My clip.mp4"
    assert find_sidecar(video) is None
    for name in ("My clip 2.srt", "My clip.txt", "My clip.de.vtt"):
        (tmp_path / name).touch()
    assert find_sidecar(video) == tmp_path / "My clip.de.vtt"
    (tmp_path / "my clip.VTT").touch()
    assert find_sidecar(video) == tmp_path / "my clip.VTT"
    (tmp_path / "My clip.srt").touch()
    assert find_sidecar(video) == tmp_path / "My clip.srt"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_an_embedded_track_lies_on_the_timeline_of_the_picture(name: str, tmp_path: Path) -> None:
    words = [(0.5, 1.5, "hello <i>there</i>"), (1.5, 2.25, "two\nlines")]
    path = make_video(tmp_path / name, [Picture()], subtitles=words)
    reader = open_video(path)
    assert reader.info.has_subtitles
    assert reader.cues() == [Cue(0.5, 1.5, "hello there"), Cue(1.5, 2.25, "two lines")]
    assert not open_video(make_video(tmp_path / "plain.mp4")).cues()
