"""Words: sidecar files however badly written, embedded tracks, and the text of a span."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segfeat.decode import Cue, open_video
from segfeat.decode.subtitles import parse_cues, read_sidecar, span_text
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\r\r\n00:00:01,000 --> 00:00:02,000\r\r\nhi\r\r\n\r\r\n2\r\r\n00:00:03,000 --> 00:00:04,000\r\r\nho\r\r\n",
         ["hi", "ho"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n \nhi\n\n2\n00:00:03,000 --> 00:00:04,000\nho\n", ["hi", "ho"]),
        ("1\n00:00:01 --> 00:00:02\nhi\n\n2\n0:03 --> 0:04\nho\n", ["hi", "ho"]),
        ("1\n00:00:01,000 --> 00:00:02,000\nhi\n\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\nho\n\n3\n",
         ["hi there", "ho"]),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\nNOTE to myself\nno words\n\nlast\n00:03.000 --> 00:04.000\nNOTE\n",
         ["hi", "NOTE"]),
        ("1\n00:00:01,000 --> 00:00:02,000\na --> b\n", ["a --> b"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n42\n\n00:00:03,000 --> 00:00:04,000\n1984\n", ["42", "1984"]),
    ],
)  # fmt: skip
def test_every_line_of_a_cue_and_nothing_else(text: str, expected: list[str]) -> None:
    assert [cue.text for cue in parse_cues(text)] == expected
    assert [cue.start_s for cue in parse_cues(text)] == [1.0, 3.0][: len(expected)]


def test_rolling_captions_give_each_line_once() -> None:
    text = "WEBVTT\n\n" + "".join(
        f"00:{start:06.3f} --> 00:{end:06.3f} align:start\n{words}\n\n"
        for start, end, words in [
            (0.4, 3.0, " \none<00:00:00.900><c> two</c>"),
            (3.0, 3.01, "one two\n "),
            (3.01, 7.0, "one two\nthree<00:00:03.500><c> four</c>"),
            (7.0, 7.01, "three four\n "),
            (7.01, 9.0, "three four\nfive"),
            (20.0, 21.0, "five"),  # said again, much later
        ]
    )
    assert parse_cues(text) == [
        Cue(0.4, 3.01, "one two"), Cue(3.01, 7.01, "three four"), Cue(7.01, 9.0, "five"), Cue(20.0, 21.0, "five"),
    ]  # fmt: skip


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
    cues: list[Cue] = []
    with suppress(ValueError):  # an encoding that cannot be told
        cues = read_sidecar(path)
    for cue in cues:
        assert cue.text
        cue.text.encode("utf-8")


def test_the_text_of_a_span_is_that_of_overlapping_cues_each_once() -> None:
    cues = [Cue(0.0, 2.0, "one"), Cue(2.0, 3.0, "two"), Cue(2.5, 4.0, "one"), Cue(4.0, 5.0, "three")]
    assert span_text(cues, 0.0, 4.0) == "one two"
    assert span_text(cues, 2.0, 2.1) == "two"
    assert span_text(cues, 4.0, 9.0) == "three"
    assert span_text(cues, 5.0, 9.0) == ""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_an_embedded_track_lies_on_the_timeline_of_the_picture(name: str, tmp_path: Path) -> None:
    words = [(0.5, 1.5, "hello <i>there</i>"), (1.5, 2.25, "two\nlines")]
    path = make_video(tmp_path / name, [Picture()], subtitles=words)
    reader = open_video(path)
    assert reader.info.has_subtitles
    assert reader.cues() == [Cue(0.5, 1.5, "hello there"), Cue(1.5, 2.25, "two lines")]
    assert not open_video(make_video(tmp_path / "plain.mp4")).cues()


def test_a_drawing_in_an_ass_track_is_no_words(tmp_path: Path) -> None:
    words = [
        (0.5, 1.0, "0,0,Default,,0,0,0,,{\\an7\\p1}m 0 0 l 100 0 100 100{\\p0}"),
        (1.0, 2.0, "1,0,Default,,0,0,0,,{\\pos(3,4)}well, {\\p2}m 0 0 b 1 1{\\p0}said\\Nlater"),
    ]
    path = make_video(tmp_path / "a.mkv", [Picture()], subtitles=words, subtitle_codec="ass")
    assert open_video(path).cues() == [Cue(1.0, 2.0, "well, said later")]
