"""A log in partitions is the log in memory, part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.importers.partitions import partition_log
from segfeat.log_file import read_interactions
from segfeat.partitioned_log import PartitionedLog
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.partitions import split_partitions
from segmodel.data.parts import TEST, TRAIN, Parts, SplitLog
from segmodel.data.splits import temporal_split
from segmodel.data.views import joined_views, make_views
from segmodel.models.hazard.rates import leaving_rates, leaving_sums, rates_from
from segmodel.models.positions import exit_histogram

pytest.importorskip("duckdb", reason="DuckDB is not installed")

WIDTH = 40


@pytest.fixture
def log_file(tmp_path: Path, rng: np.random.Generator) -> Path:
    n = 6000
    duration_ms = rng.integers(1, 199_999, n)
    pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.zipf(1.3, n) % 500],
            "video_id": [f"v{i}" for i in rng.integers(0, 800, n)],
            "time_ms": rng.integers(0, 10**12, n),
            "duration_ms": duration_ms,
            "watch_ms": (duration_ms * rng.exponential(0.7, n)).astype(int) + 1,
        }
    ).to_csv(tmp_path / "log.csv", index=False)
    return tmp_path / "log.csv"


@pytest.fixture
def log(log_file: Path, tmp_path: Path) -> PartitionedLog:
    return partition_log(log_file, tmp_path / "views", partitions=6, memory_mb=200, threads=1)


def test_parts_hold_the_views_of_the_log_with_its_histories_and_split(log: PartitionedLog, log_file: Path) -> None:
    whole = make_dataset(read_interactions(log_file))
    split = temporal_split(whole.views)
    found = split_partitions(log, None, temporal_split, part_views=1)
    assert found.count == 6

    def described(data: Dataset) -> set[tuple[object, ...]]:
        length = (data.history[:, 1] - data.history[:, 0]).tolist()
        return {*zip(data.views.keys, data.views.exit.tolist(), length, strict=True)}

    for role in (TRAIN, TEST):
        parts = [described(part) for part in found.parts(role)]
        assert len(parts) == 6
        assert set.union(*parts) == described(whole.take(getattr(split, role)))
        assert sum(map(len, parts)) == len(getattr(split, role))


@pytest.mark.parametrize(("part_views", "parts"), [(1, 6), (2500, 4), (6000, 1)])
def test_partitions_are_read_together_up_to_a_size(log: PartitionedLog, part_views: int, parts: int) -> None:
    found = split_partitions(log, None, temporal_split, part_views=part_views)
    assert found.count == parts
    sizes = [len(found.load(k)[0]) for k in range(found.count)]
    assert sum(sizes) == len(log)
    assert part_views == 1 or max(sizes) <= part_views


def test_one_part_is_in_memory_at_a_time(log: PartitionedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[tuple[int, ...]]()
    original = PartitionedLog.read
    monkeypatch.setattr(PartitionedLog, "read", lambda self, *k: read.append(k) or original(self, *k))
    found = split_partitions(log, None, temporal_split, part_views=1)
    assert read == []
    train = found.parts(TRAIN)
    assert read == []
    assert [len(part) > 0 for part in train] == [True] * 6
    assert read == [(k,) for k in range(6)]
    order = []
    for part in train.shuffled(np.random.default_rng(1)):
        order.append(read[-1][0])
        assert len(part)
    assert sorted(order) == list(range(6)) != order


def test_users_without_a_view_of_a_role_make_no_empty_part(log: PartitionedLog) -> None:
    nothing = np.zeros(0, np.int64)
    parts = Parts(3, lambda k: make_dataset(log.read(k)).take(nothing if k == 1 else np.arange(5)))
    assert [len(part) for part in parts] == [5, 5]


def test_leaving_rates_are_partial_sums(log: PartitionedLog, log_file: Path) -> None:
    def fold(views: object) -> np.ndarray:
        return np.array([len(u) % 3 for u in views.user_ids.tolist()])[views.user]  # type: ignore[attr-defined]

    whole = make_views(read_interactions(log_file))
    known = leaving_rates(whole, fold(whole), 3, 20.0, WIDTH)
    parts = split_partitions(log, None, temporal_split, part_views=1).parts("train", "valid", "test")
    events, exposure = parts.summed(lambda data: leaving_sums(data.views, fold(data.views), 3, WIDTH))
    np.testing.assert_allclose(rates_from(events, exposure, 20.0), known, rtol=1e-12)
    assert events.sum() == (~whole.completed).sum()
    assert len(np.unique(known)) > 100


def test_exit_histograms_are_partial_sums(log: PartitionedLog, log_file: Path) -> None:
    whole = make_views(read_interactions(log_file))
    parts = split_partitions(log, None, temporal_split, part_views=1).parts("train", "valid", "test")
    zeros = np.zeros(len(whole), np.int64)
    (found,) = parts.summed(lambda d: (exit_histogram(d.views, zeros[: len(d)], 1, WIDTH + 1),))
    np.testing.assert_array_equal(found, exit_histogram(whole, zeros, 1, WIDTH + 1))


def test_joined_views_are_the_rows_of_all_parts(log: PartitionedLog) -> None:
    parts = [make_views(log.read(k)) for k in range(3)]
    found = joined_views(parts)
    assert found.keys == [key for part in parts for key in part.keys]
    assert len(set(found.video_ids.tolist())) == len(found.video_ids) < sum(len(p.video_ids) for p in parts)
    np.testing.assert_array_equal(found.exit, np.concatenate([part.exit for part in parts]))
    assert (np.diff(found.user) >= 0).all()
    assert joined_views(parts[:1]) is parts[0]


def test_a_log_in_memory_is_one_part(log: PartitionedLog) -> None:
    data = make_dataset(log.read(0))
    split = temporal_split(data.views)
    parts = SplitLog.of(data, split).parts(TRAIN)
    assert parts.count == 1
    (train,) = parts.shuffled(np.random.default_rng(0))
    np.testing.assert_array_equal(train.views.log_row, data.views.log_row[split.train])


def test_no_part_is_an_error() -> None:
    with pytest.raises(ValueError, match="without views"):
        Parts(0, lambda k: None).summed(lambda data: (np.zeros(1),))  # type: ignore[arg-type,return-value]
