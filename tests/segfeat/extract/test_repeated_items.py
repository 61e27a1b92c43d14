"""What is the same bit for bit is encoded once: digital silence, a picture that stands, a title."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.encoders import load_encoder
from segfeat.encoders.registry import parse_spec
from segfeat.extraction import ExtractSummary
from segfeat.pipeline.encoding import BatchFiller, Encoding, content
from segfeat.store.reader import open_store
from tests.media import Picture, Sound, make_video
from tests.segfeat.extract.tasks import Nosy


class Counting(Nosy):
    """Counts what it encodes."""

    batch_size = 3

    def __init__(self) -> None:
        super().__init__(parse_spec("offline:color-texture", "visual"), None)
        self.seen: list[Any] = []

    def encode(self, items: Any) -> Any:
        """The sum of every item."""
        self.seen += items
        return np.array([[np.sum(item, dtype=np.float64)] * 3 for item in items], np.float32)


def test_the_same_item_is_encoded_once_and_its_vector_is_given_to_all() -> None:
    silence, noise = np.zeros(9, np.float32), np.arange(9, dtype=np.float32)
    items = [silence, noise, silence.copy(), noise + 1, silence, noise, np.zeros(8, np.float32)]
    features, encoder = np.full((len(items), 3), -1, np.float32), Counting()
    with Encoding() as encoding:
        batches = BatchFiller(encoder, encoding)
        for row, item in enumerate(items):
            batches.add(item, features, row)
        batches.flush()
        encoding.finish()
        batches.repeat()
    assert [len(item) for item in encoder.seen] == [9, 9, 9, 8]
    assert batches.spared == 3
    assert features[:, 0].tolist() == [0, 36, 0, 45, 0, 36, 0]


def test_what_looks_alike_is_not_the_same() -> None:
    items = [
        np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros((2, 2), np.float32), np.zeros(5, np.float32),
        np.array([0, 0, 0, -0.0], np.float32), np.float32(0), "", "words", "wordsx", "0",
    ]  # fmt: skip
    keys = [content(item) for item in items]
    assert None not in keys
    assert len(set(keys)) == len(items)
    assert content(np.zeros(4, np.float32)[::-1]) == keys[0]  # of the same content, however it lies in memory
    assert content(object()) is None
    assert content(np.array([object()])) is None
    assert content({"a": 1}) is None


def test_items_of_which_nothing_is_known_are_all_encoded() -> None:
    features, encoder = np.zeros((4, 3), np.float32), Counting()
    with Encoding() as encoding:
        batches = BatchFiller(encoder, encoding)
        for row in range(4):
            batches.add([1.0, 2.0], features, row)
        batches.flush()
        encoding.finish()
        batches.repeat()
    assert len(encoder.seen) == 4
    assert features[:, 0].tolist() == [3.0] * 4


def test_a_silent_video_has_the_vectors_of_silence(
    tmp_path: Path, run: Callable[..., ExtractSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Sound(duration_s=9.0, codec="pcm_s16le", rate=16000, level=0.0)
    make_video(tmp_path / "silent.mkv", [Picture(count=225)], [sound])
    spared: list[int] = []

    class Watched(BatchFiller):
        def repeat(self) -> None:
            spared.append(self.spared)
            super().repeat()

    monkeypatch.setattr("segfeat.pipeline.shard.BatchFiller", Watched)
    table = tmp_path / "metadata.csv"
    table.write_text("video_id,title\nsilent,a title\n")
    specs = {"audio": "offline:logmel", "text": "offline:hashing"}
    run(tmp_path / "silent.mkv", tmp_path / "f.h5", metadata=table, segment_s=2.0, **specs)
    assert spared == [0, 3, 4]  # the last segment is shorter
    alone = {"audio": np.zeros(32_000, np.float32), "text": "a title"}
    with open_store(tmp_path / "f.h5") as store:
        for modality, spec in specs.items():
            encoder = load_encoder(spec, modality, "cpu")  # type: ignore[arg-type]
            assert encoder is not None
            assert store["silent"].valid[modality].all()
            expected = np.repeat(encoder.encode([alone[modality]]), 4, axis=0)
            np.testing.assert_allclose(store["silent"].features[modality][:4], expected, atol=1e-3)
