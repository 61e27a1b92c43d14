"""Words through the whole command: what is said and shown lies in the store, in its segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segfeat.extraction import extract
from segfeat.store.merge import merge_stores
from segfeat.store.reader import open_store
from segfeat.store.summary import summarise
from tests.segfeat.words.conftest import RATE, make_clip, speech

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("faster_whisper")
    pytest.importorskip("rapidocr")
    folder = tmp_path_factory.mktemp("words")
    said = speech("i want to go home and read a book", folder)
    sound = np.zeros(15 * RATE, np.float32)
    sound[RATE : RATE + len(said)] = said
    (folder / "videos").mkdir()
    make_clip(folder / "videos" / "clip.mp4", ["go home and read", "Fresh apples", "Fresh apples"], sound)
    (folder / "videos" / "clip.srt").write_text("1\n00:00:11 --> 00:00:12\nwritten words\n")
    (folder / "titles.csv").write_text("video_id,title\nclip,My day\n")
    extract(
        folder / "videos",
        folder / "feats.h5",
        preset="offline",
        metadata=folder / "titles.csv",
        words="subtitles,title,speech:pocketsphinx,screen:rapidocr",
        workers=1,
    )
    return folder / "feats.h5"


def test_each_source_has_its_words_in_their_segment(store: Path) -> None:
    with open_store(store) as opened:
        video = opened["clip"]
        assert video.status == "ok", video.problems
        texts = {kind: [[line.text for line in lines] for lines in found] for kind, found in video.words.items()}
        assert texts == {
            "subtitles": [[], [], ["written words"]],
            "speech": [["i", "want", "to", "go", "home", "and", "read", "a", "book"], [], []],
            "screen": [["go home and read"], ["Fresh apples"], ["Fresh apples"]],
        }
        assert video.segment_text == (
            "My day i want to go home and read a book",  # the caption repeats what is said
            "My day Fresh apples",
            "My day written words Fresh apples",
        )
        first = video.words["speech"][0][0]
        assert 1.0 <= first.start_s < first.end_s < 2.0
        assert 0 <= first.confidence <= 1
        assert np.isnan(video.words["subtitles"][2][0].confidence)
        assert video.valid["text"].tolist() == [True, True, True]


def test_the_store_says_where_its_words_come_from(store: Path) -> None:
    with open_store(store) as opened:
        described = opened.header.parameters["words"]
        assert [name.split(" ")[0] for name in described] == [
            "title", "subtitles", "speech:pocketsphinx", "screen:rapidocr",
        ]  # fmt: skip
        assert opened.encoders["text"].pooling.endswith(
            "words of title, subtitles, speech:pocketsphinx, screen:rapidocr"
        )
        summary = summarise(opened)
        assert {kind: words.segments for kind, words in summary.words.items()} == {
            "any": 3, "title": 3, "subtitles": 1, "speech": 1, "screen": 3,
        }  # fmt: skip


def test_words_survive_merging_with_videos_that_have_none(store: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from segfeat.store.writer import write_store

    with open_store(store) as opened:
        header, clip = opened.header, opened["clip"]
    write_store(tmp_path / "a.h5", header, [replace(clip, video_id="mute", path="mute.mp4", words={})])
    write_store(tmp_path / "b.h5", header, [replace(clip, video_id="half", path="half.mp4",
                                                    words={"screen": clip.words["screen"]})])  # fmt: skip
    merge_stores([tmp_path / "a.h5", store, tmp_path / "b.h5"], tmp_path / "all.h5")
    with open_store(tmp_path / "all.h5") as merged:
        assert {kind: [len(s) for s in found] for kind, found in merged["mute"].words.items()} == {
            kind: [0, 0, 0] for kind in ("subtitles", "speech", "screen")
        }
        assert repr(dict(sorted(merged["clip"].words.items()))) == repr(dict(sorted(clip.words.items())))
        assert [len(found) for found in merged["half"].words["screen"]] == [1, 1, 1]
