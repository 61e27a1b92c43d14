"""Encoding a shard: which batches, which rows, and what does not get in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.pipeline.encoding import BatchFiller, Encoding
from segfeat.pipeline.messages import Closed, Failed, Message, Opened, SegmentItems
from segfeat.pipeline.shard import Shard, write_shard
from segfeat.pipeline.sources import Source
from segfeat.store.reader import FeatureStore
from segfeat.types import EncoderSpec, Float32, StoreHeader


class Recorder:
    """An encoder that gives (value, value squared) of each item and remembers its batches."""

    frame_size = sample_rate = None

    def __init__(self, spec: EncoderSpec, batch_size: int) -> None:
        self.spec, self.batch_size = spec, batch_size
        self.preparer = float
        self.batches: list[list[float]] = []

    def encode(self, items: Sequence[Any]) -> Float32:
        self.batches.append(list(items))
        return np.array([[x, x * x] for x in items], np.float32)


class Arrived:
    """A file with made-up segments; the values are the items, None for a segment without material."""

    def __init__(self, source: Source, values: Sequence[float | None], end: Message, spans: int | None = None) -> None:
        n = len(values) if spans is None else spans
        self.source, self.end, self.values = source, end, values
        self.opened = Opened(5.0 * n, np.stack([np.arange(n) * 5.0, np.arange(1, n + 1) * 5.0], axis=1), "made-up")

    def __iter__(self) -> Iterator[SegmentItems]:
        for k, value in enumerate(self.values):
            items = {} if value is None else {"visual": value}
            yield SegmentItems(np.array([k + 0.5]), items, f"text {k}", b"thumb" if k else b"")


@pytest.fixture
def recorder(make_spec: Callable[..., EncoderSpec]) -> Recorder:
    return Recorder(make_spec("visual", 2), 4)


def shard(path: Path, recorder: Recorder, arrivals: list[Arrived]) -> FeatureStore:
    header = StoreHeader(5.0, {}, {"visual": recorder.spec})
    rest = iter(arrivals)
    with Encoding() as encoding:
        write_shard(path, header, rest, len(arrivals), {"visual": recorder}, encoding, "/root")  # type: ignore[arg-type]
    return FeatureStore(path)


def test_batches_fill_across_videos_and_rows_find_their_places(
    tmp_path: Path, recorder: Recorder, source: Callable[[str], Source]
) -> None:
    arrivals = [
        Arrived(source("a"), [1, None, 3], Closed()),
        Arrived(source("b"), [4, 5, 6, 7, 8], Closed(("damage",))),
        Arrived(source("c"), [None], Closed()),
    ]
    with shard(tmp_path / "s.h5", recorder, arrivals) as store:
        assert recorder.batches == [[1, 3, 4, 5], [6, 7, 8]]
        assert list(store) == ["a", "b", "c"]
        assert store["a"].visual.tolist() == [[1, 1], [0, 0], [3, 9]]
        assert store["a"].valid["visual"].tolist() == [True, False, True]
        assert store["b"].visual[:, 0].tolist() == [4, 5, 6, 7, 8]
        assert [store[v].status for v in store] == ["ok", "partial", "ok"]
        assert store["b"].segment_text == tuple(f"text {k}" for k in range(5))
        assert store["a"].thumbnails == (b"", b"thumb", b"thumb")
        assert store["c"].thumbnails == (b"",)
        assert store["a"].frame_time_s.tolist() == [[0.5], [1.5], [2.5]]
        assert store.root == "/root"


def test_what_fails_is_a_row_with_its_reason(
    tmp_path: Path, recorder: Recorder, source: Callable[[str], Source]
) -> None:
    arrivals = [
        Arrived(source("gone"), [], Failed("not_found", "it went")),
        Arrived(source("cut"), [1.0, 2.0], Failed("timeout", "stuck"), spans=9),
        Arrived(source("short"), [3.0], Closed(), spans=2),
        Arrived(source("nan"), [4.0, np.nan], Closed()),
        Arrived(source("large"), [300.0], Closed()),  # its square is beyond half precision
        Arrived(source("good"), [5.0], Closed()),
    ]
    with shard(tmp_path / "s.h5", recorder, arrivals) as store:
        assert list(store) == ["good"]
        assert store["good"].visual.tolist() == [[5, 25]]
        assert {f.path: f.code for f in store.failures} == {
            "gone": "not_found", "cut": "timeout", "short": "internal", "nan": "bad_features", "large": "bad_features",
        }  # fmt: skip
        assert all(f.size_bytes == 1 and f.mtime_ns == 1 for f in store.failures)


def test_a_shard_of_failures_alone_is_a_shard(
    tmp_path: Path, recorder: Recorder, source: Callable[[str], Source]
) -> None:
    with shard(tmp_path / "s.h5", recorder, [Arrived(source("a"), [], Failed("empty_file", ""))]) as store:
        assert len(store) == 0
        assert len(store.failures) == 1
    assert recorder.batches == []


def test_an_encoder_that_gives_the_wrong_number_of_rows_stops_the_job(make_spec: Callable[..., EncoderSpec]) -> None:
    recorder = Recorder(make_spec("visual", 3), 1)
    with Encoding() as encoding:
        BatchFiller(recorder, encoding).add(1.0, np.zeros((1, 3), np.float32), 0)
        with pytest.raises(RuntimeError, match=r"gave \(1, 2\) features, expected \(1, 3\)"):
            encoding.finish()


def test_a_shard_travels_as_ascii_whatever_its_files_are_called() -> None:
    name = b'caf\xe9 \xe7\x89\x87 "1".mp4'.decode("utf-8", "surrogateescape")
    odd = Source(
        name, name, f"/films/{name}", 2**40, 1_700_000_000_123_456_789, "片", ("a.srt", "b.vtt"), True, "b/" + name
    )
    shard = Shard((odd, Source("b", "b.mp4", "s3://films/b.mp4", 1, 2)))
    text = shard.to_json()
    assert text.isascii()
    found = Shard.from_json(text)
    assert found == shard
    header = StoreHeader(5.0)
    assert found.name(header) == shard.name(header)
