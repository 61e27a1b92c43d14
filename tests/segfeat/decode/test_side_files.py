"""Which subtitle file is whose, by the names that are met."""

from __future__ import annotations

import pytest

from segfeat.decode.side_files import side_files


@pytest.mark.parametrize(
    "name",
    [
        "My clip.srt", "my clip.VTT", "My clip.forced.srt",
        "My clip.mp4.srt", "My clip.en.srt", "My clip_en.srt", "My clip-de.vtt",
        "My clip.en-nP7-2PuUl7o.vtt", "My clip.zh-Hans-en.srt", "My clip.zh-Hans.vtt", "My clip_zh-Hant.srt",
        "My clip.pt_BR.srt", "My clip.en.forced.srt", "My clip.eng.sdh.srt", "My clip.en-orig.vtt",
        "My clip.English.srt", "My clip_es-419.srt",
    ],
)  # fmt: skip
def test_names_that_downloaders_and_transcribers_write(name: str) -> None:
    assert side_files([name, "My clip.mp4", "notes.txt"], ["My clip.mp4"]) == {"My clip.mp4": (name,)}


@pytest.mark.parametrize(
    "name", ["My clip 2.srt", "My clip_2.srt", "My.srt", "My clips.srt", "My clip.part2.srt", "My clip.txt",
             "other.srt", "My clip-final.srt"],
)  # fmt: skip
def test_names_of_something_else(name: str) -> None:
    assert side_files([name], ["My clip.mp4"]) == {}


def test_the_better_ones_come_first() -> None:
    names = ["a.en.forced.srt", "a.mp4.vtt", "a.fr.srt", "a.forced.srt", "a.en.vtt", "a.vtt", "a.srt"]
    expected = ("a.srt", "a.vtt", "a.mp4.vtt", "a.fr.srt", "a.en.vtt", "a.en.forced.srt", "a.forced.srt")
    assert side_files(names, ["a.mp4"]) == {"a.mp4": expected}


def test_a_file_is_that_of_the_video_with_the_longest_name() -> None:
    videos = ["a.mp4", "a_en.mp4", "a.mkv"]
    assert side_files(["a_en.srt", "a.srt"], videos) == {
        "a_en.mp4": ("a_en.srt",), "a.mp4": ("a.srt",), "a.mkv": ("a.srt",),
    }  # fmt: skip
