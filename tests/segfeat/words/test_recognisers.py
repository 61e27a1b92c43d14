"""The recognisers on words that were really said and shown, and on what holds none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.segment import segment_spans
from segfeat.words import Options, WordSource, load_sources
from segfeat.words import whisper as whisper_source
from tests.segfeat.words.checkpoint import make_checkpoint
from tests.segfeat.words.conftest import RATE, picture, speech
from tests.segfeat.words.test_words import material

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def sphinx() -> WordSource:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("faster_whisper")
    [source] = load_sources(("speech:pocketsphinx",), Options())
    return source


@pytest.fixture(scope="module")
def ocr() -> WordSource:
    pytest.importorskip("rapidocr")
    [source] = load_sources(("screen:rapidocr",), Options())
    return source


def heard(source: WordSource, sound: Any) -> list[list[str]]:
    spans_s = segment_spans(len(sound) / RATE)
    waves = [sound[round(a * RATE) : round(b * RATE)] for a, b in spans_s.tolist()]
    given = material(spans_s=spans_s, sound=lambda: iter(waves))
    return [[line.text for line in lines] for lines in source.read(given)]


def test_english_words_are_heard_in_their_segment_whatever_was_heard_before(sphinx: WordSource, tmp_path: Path) -> None:
    said = speech("i want to go home and read a book", tmp_path)
    numbers = speech("one two three four five six", tmp_path)
    sound = np.zeros(16 * RATE, np.float32)
    sound[RATE : RATE + len(said)] = said
    sound[11 * RATE : 11 * RATE + len(numbers)] = numbers
    first = heard(sphinx, sound)
    assert first[0] == ["i", "want", "to", "go", "home", "and", "read", "a", "book"]
    assert first[1] == []
    assert {"two", "three", "four"} <= {word for words in first[2:] for word in words}
    assert heard(sphinx, sound) == first


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "music"])
def test_what_is_no_speech_gives_no_words(sphinx: WordSource, kind: str, rng: np.random.Generator) -> None:
    t = np.arange(12 * RATE) / RATE
    chords = [[220, 277, 330], [196, 247, 294], [175, 220, 262], [262, 330, 392]]
    music = sum(np.sin(2 * np.pi * np.array([c[k] for c in chords])[(t // 1.5).astype(int) % 4] * t) for k in range(3))
    sound = {
        "silence": np.zeros_like(t),
        "noise": rng.normal(size=len(t)) * 0.1,
        "hum": 0.3 * np.sin(2 * np.pi * 50 * t),
        "music": 0.2 * music * np.exp(-2 * (t % 0.5)),
    }[kind].astype(np.float32)
    assert heard(sphinx, sound) == [[], [], []]


class Shown:
    """A reader that shows these pictures one after another."""

    def __init__(self, images: list[Any]) -> None:
        self.images = images

    def frames(self, times_s: Any, short_side: int | None = None) -> Any:
        from segfeat.decode import Frame

        return (Frame(float(t), image) for t, image in zip(times_s, self.images, strict=True))


def test_words_on_pictures_are_read_and_only_when_they_change(ocr: WordSource, rng: np.random.Generator) -> None:
    pictures = [picture("Welcome to Paris"), picture("Welcome to Paris"), picture("Welcome to Pari5 2")]
    noisy = np.clip(pictures[1].astype(int) + rng.integers(-3, 4, pictures[1].shape), 0, 255).astype(np.uint8)
    looked: list[int] = []
    texts = ocr._texts  # type: ignore[attr-defined]
    ocr._texts = lambda image: looked.append(1) or texts(image)  # type: ignore[attr-defined]
    try:
        given = material(reader=Shown([pictures[0], noisy, pictures[2]]))
        found = [[line.text.replace(" ", "") for line in lines] for lines in ocr.read(given)]
    finally:
        del ocr._texts  # type: ignore[attr-defined]
    assert found[:2] == [["WelcometoParis"]] * 2
    assert found[2] != found[0]
    assert len(looked) == 2


def test_pictures_without_words_give_none(ocr: WordSource, rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (360, 640, 3)).astype(np.uint8)
    plain = np.full((360, 640, 3), 128, np.uint8)
    assert list(ocr.read(material(reader=Shown([plain, noise, picture("")])))) == [(), (), ()]


def test_whisper_gives_words_with_times_and_confidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       rng: np.random.Generator) -> None:  # fmt: skip
    """Random weights hear nothing sensible: what is tested is that the whole path runs, and what it drops."""
    pytest.importorskip("faster_whisper")
    folder = make_checkpoint(tmp_path / "tiny")
    [source] = load_sources((f"speech:faster-whisper:{folder}@de",), Options())
    assert "language de" in source.description
    assert "sha256:" in source.description
    monkeypatch.setattr("segfeat.words.voice.speech_spans", lambda sound: [(0, len(sound))])
    sound = (rng.normal(size=12 * RATE) * 0.1).astype(np.float32)
    assert heard(source, sound) == [[], [], []]  # far less likely than what Whisper believes itself
    monkeypatch.setattr(whisper_source, "LEAST_LIKELY", -1e9)
    monkeypatch.setattr(whisper_source, "MOST_REPETITIVE", 1e9)
    spans_s = segment_spans(12.0)
    waves = [sound[round(a * RATE) : round(b * RATE)] for a, b in spans_s.tolist()]
    found = list(source.read(material(spans_s=spans_s, sound=lambda: iter(waves))))
    assert any(found)
    for (start_s, end_s), lines in zip(spans_s.tolist(), found, strict=True):
        assert all(start_s <= (line.start_s + line.end_s) / 2 < end_s and 0 <= line.confidence <= 1 for line in lines)


def test_a_whisper_that_is_not_there_says_what_is(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    for name, message in (("no-such", "valid are tiny.en, tiny"), (str(tmp_path), "has no model.bin")):
        with pytest.raises(ValueError, match=message):
            load_sources((f"speech:faster-whisper:{name}",), Options())
