"""Statistics of a log in partitions are those of the log in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.importers.partitions import partition_log
from segfeat.log_file import read_interactions
from segmodel.data.partitions import partition_views, summed, user_folds
from segmodel.data.views import make_views
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


@pytest.mark.parametrize("partitions", [1, 6])
def test_leaving_rates_are_partial_sums(log_file: Path, tmp_path: Path, partitions: int) -> None:
    log = partition_log(log_file, tmp_path / "views", partitions=partitions, memory_mb=200, threads=1)
    whole = make_views(read_interactions(log_file))
    known = leaving_rates(whole, user_folds(whole, 5), 5, 20.0, WIDTH)
    events, exposure = summed(partition_views(log), lambda v: leaving_sums(v, user_folds(v, 5), 5, WIDTH))
    np.testing.assert_allclose(rates_from(events, exposure, 20.0), known, rtol=1e-12)
    assert events.sum() == (~whole.completed).sum()
    assert len(np.unique(known)) > 100


def test_exit_histograms_are_partial_sums(log_file: Path, tmp_path: Path) -> None:
    log = partition_log(log_file, tmp_path / "views", partitions=6, memory_mb=200, threads=1)
    whole = make_views(read_interactions(log_file))
    (found,) = summed(partition_views(log), lambda v: (exit_histogram(v, np.zeros(len(v), np.int64), 1, WIDTH + 1),))
    np.testing.assert_array_equal(found, exit_histogram(whole, np.zeros(len(whole), np.int64), 1, WIDTH + 1))


def test_no_partition_is_an_error() -> None:
    with pytest.raises(ValueError, match="without partitions"):
        summed(iter(()), lambda v: (np.zeros(1),))
