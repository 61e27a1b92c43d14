"""Sources of words: which there are, what they give for each segment, and the one text made of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.decode import open_video
from segfeat.segment import segment_spans
from segfeat.types import Float32, Float64, Line
from segfeat.words import DEFAULT_WORDS, SOURCES, Material, Options, load_sources, parse_words
from segfeat.words.text import joined, repeats
from segfeat.words.voice import WINDOW_S, words_by_segment
from tests.media import Picture, make_video

SPANS = segment_spans(12.0)


def material(**given: Any) -> Material:
    usual = {
        "reader": None,
        "spans_s": SPANS,
        "times_s": SPANS.mean(axis=1, keepdims=True),
        "title": "",
        "side_files": (),
        "sound": lambda: iter([]),
        "note": lambda text: None,
    }
    return Material(**{**usual, **given})


def lines(*texts: str) -> tuple[Line, ...]:
    return tuple(Line(0.0, 1.0, text) for text in texts)


# -- names -------------------------------------------------------------------------------------------------------------


def test_names_come_back_in_the_order_of_the_text() -> None:
    assert parse_words("screen:rapidocr, subtitles,speech:faster-whisper:/m/x@de,title") == (
        "title", "subtitles", "speech:faster-whisper:/m/x@de", "screen:rapidocr",
    )  # fmt: skip
    assert parse_words("none") == ()
    assert parse_words(DEFAULT_WORDS) == DEFAULT_WORDS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("whisper", "unknown source of words 'whisper'; valid are title, subtitles, speech:faster-whisper:NAME"),
        ("speech:faster-whisper", "unknown source"),
        ("title,", "unknown source of words ''"),
        ("subtitles:x", "unknown source"),
        ("speech:pocketsphinx,speech:faster-whisper:tiny", "two sources of speech"),
    ],
)
def test_wrong_names_are_refused(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_words(given)


EXTRA = {"speech": "faster_whisper", "screen": "rapidocr"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.extras] if entry.kind in EXTRA else [])
        for name, entry in SOURCES.items()
        if name != "speech:faster-whisper"
    ],
)
def test_every_source_is_small_to_send_and_says_what_decides_its_words(name: str) -> None:
    extra = EXTRA.get(SOURCES[name].kind)
    if extra:
        pytest.importorskip(extra)
    [source] = load_sources((name,), Options())
    assert source.kind == SOURCES[name].kind
    assert source.description.startswith(name)
    assert ("sha256:" in source.description) == bool(extra)
    assert len(pickle.dumps(source)) < 1000


# -- what is written ---------------------------------------------------------------------------------------------------


def test_side_files_that_are_empty_or_refused_do_not_hide_the_track_inside(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", [Picture(count=150)], subtitles=[(4.0, 6.0, "inside")])
    (tmp_path / "a.srt").write_text("")
    (tmp_path / "a.en.srt").write_bytes("1\n00:00:01,000 --> 00:00:02,000\nДа\n".encode("cp1251"))
    notes: list[str] = []
    [source] = load_sources(("subtitles",), Options())
    paths = (tmp_path / "a.srt", tmp_path / "a.en.srt")
    given = material(reader=open_video(video), spans_s=segment_spans(6.0), side_files=paths, note=notes.append)
    assert [[line.text for line in found] for found in source.read(given)] == [["inside"], ["inside"]]
    assert notes == ["subtitles a.en.srt are left out: its encoding cannot be told; name it with --subtitle-encoding"]
    [source] = load_sources(("subtitles",), Options("cp1251"))
    assert [[line.text for line in found] for found in source.read(given)] == [["Да"], []]


# -- one text ----------------------------------------------------------------------------------------------------------


def test_what_is_shown_and_said_is_counted_once() -> None:
    said = lines("i", "want", "to", "go", "home")
    assert joined({"speech": said, "screen": lines("I want to go home!", "SALE")}) == "i want to go home SALE"
    assert joined({"subtitles": lines("I want to go home."), "speech": said}) == "I want to go home."
    assert joined({"title": lines("A B"), "subtitles": lines("a b")}) == "A B a b"  # both were written on purpose
    assert joined({"speech": lines("very", "very", "good")}) == "very very good"
    assert joined({"title": (), "speech": (), "screen": ()}) == ""


def test_scripts_without_spaces_have_none_in_speech() -> None:
    assert joined({"speech": lines("今天", "我们", "用", "iPhone", "拍")}) == "今天我们用 iPhone 拍"
    assert repeats("先把肉切成块", "好的 先把肉切块")
    assert not repeats("先把肉切成块", "今天天气很好")


# -- what is said ------------------------------------------------------------------------------------------------------


def counted(sound: Float32) -> list[Line]:
    """A word for each stretch, in its middle, that tells how long it is."""
    middle_s = len(sound) / 32_000
    return [Line(middle_s - 0.1, middle_s + 0.1, f"{len(sound) / 16_000:.0f}")]


def beeps(spans_s: Float64, at_s: list[tuple[float, float]]) -> Iterator[Float32]:
    for start_s, end_s in spans_s.tolist():
        t = np.arange(round(start_s * 16_000), round(end_s * 16_000)) / 16_000
        yield np.any([(t >= a) & (t < b) for a, b in at_s], axis=0).astype(np.float32)


def loud(sound: Float32) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sound > 0, [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("duration_s", [12.0, 300.0])
def test_every_stretch_is_heard_once_in_its_segment(duration_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.words.voice.speech_spans", loud)
    spans_s = segment_spans(duration_s)
    at_s = [(1.0, 3.0), (4.0, 9.0), (WINDOW_S - 2, WINDOW_S + 2), (119.0, 121.0), (200.0, 203.0), (299.0, 300.0)]
    at_s = [(a, b) for a, b in at_s if b <= duration_s]
    found = list(words_by_segment(spans_s, beeps(spans_s, at_s), counted))
    assert len(found) == len(spans_s)
    expected: list[list[str]] = [[] for _ in spans_s]
    for a, b in at_s:
        expected[int((a + b) / 2 // 5)].append(f"{b - a:.0f}")
    assert [[word.text for word in words] for words in found] == expected
    times = [(word.start_s + word.end_s) / 2 for words in found for word in words]
    np.testing.assert_allclose(times, [(a + b) / 2 for a, b in at_s], atol=1e-3)


def test_segments_without_sound_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.words.voice.speech_spans", loud)
    waves = list(beeps(SPANS, [(1.0, 2.0), (11.0, 12.0)]))
    waves[1] = np.zeros(0, np.float32)
    found = list(words_by_segment(SPANS, iter(waves), counted))
    assert [[word.text for word in words] for words in found] == [["1"], [], ["1"]]
    assert found[2][0].start_s == pytest.approx(11.4)
