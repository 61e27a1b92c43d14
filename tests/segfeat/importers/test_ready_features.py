"""Ready-made features: the right row for each segment, and every way in which the files can contradict each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.importers.log import import_log
from segfeat.importers.ready_features import ReadyFeatures
from segfeat.store.reader import open_store

DIM = 6

LOG = "user_id,photo_id,time_ms,duration_ms,playing_time\n1,65009,1,12000,3000\n2,8,1,5000,5000\n"

INDEX = {"8-0": 0, "65009-2": 1, "65009-0": 3, "other-0": 2}


def matrix(rows: int = 4, dtype: str = "float64") -> np.ndarray[Any, Any]:
    """Rows whose every number tells the row: 1.5, 2.5, …"""
    return np.repeat(np.arange(rows)[:, None] + 1.5, DIM, axis=1).astype(dtype)


def write(folder: Path, values: np.ndarray[Any, Any], index: Any = INDEX) -> tuple[Path, Path]:
    values.tofile(folder / "features.bin")
    (folder / "index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    return folder / "features.bin", folder / "index.json"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_each_segment_gets_its_row(tmp_path: Path, dtype: str) -> None:
    ready = ReadyFeatures(*write(tmp_path, matrix(dtype=dtype)), DIM, dtype)
    features, valid = ready.segments("65009", 3)
    assert features.dtype == np.float16
    assert features[:, 0].tolist() == [4.5, 0.0, 2.5]
    assert valid.tolist() == [True, False, True]
    features, valid = ready.segments("nobody", 2)
    assert not features.any()
    assert not valid.any()


def test_import_puts_them_into_the_store_with_their_source(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    ready = ReadyFeatures(*write(tmp_path, matrix()), DIM)
    summary = import_log("segmm", tmp_path / "log.csv", tmp_path / "store.h5", ready)
    assert (summary.segments, summary.segments_with_features, summary.videos_with_features) == (4, 3, 1)
    with open_store(tmp_path / "store.h5") as store:
        assert store["65009"].visual[:, 0].tolist() == [4.5, 0.0, 2.5]
        assert store["65009"].valid["visual"].tolist() == [True, False, True]
        assert store["8"].visual.tolist() == [[1.5] * DIM]
        spec = store.encoders["visual"]
        assert (spec.name, spec.dim, spec.modality) == ("ready:features.bin", DIM, "visual")
        assert spec.weights.startswith("features.bin, 4 rows of float64; index sha256:")


def test_zeros_after_the_last_row_are_unused_space(tmp_path: Path) -> None:
    ready = ReadyFeatures(*write(tmp_path, np.concatenate([matrix(), np.zeros((3, DIM))])), DIM)
    assert ready.segments("65009", 1)[0][0, 0] == 4.5


@pytest.mark.parametrize(
    ("values", "dim", "dtype", "message"),
    [
        (matrix(), DIM, "float32", "8 rows of 6 float32 numbers, but .* ends at row 4; float64 would fit exactly"),
        (matrix(dtype="float32"), DIM, "float64", "2 rows of 6 float64 .* ends at row 4; float32 would fit exactly"),
        (matrix(), DIM // 2, "float64", "8 rows of 3 float64 numbers, but .* ends at row 4"),
        (matrix(), DIM * 2, "float64", "2 rows of 12 float64 numbers, but .* ends at row 4"),
        (matrix(), 5, "float64", "192 bytes are no whole number of 5 float64 numbers"),
        (matrix(3), DIM, "float64", "3 rows of 6 float64 numbers, but .* ends at row 4"),
        (matrix(5), DIM, "float64", "5 rows of 6 float64 numbers, but .* ends at row 4"),
        (matrix(0), DIM, "float64", "0 rows of 6 float64 numbers, but .* ends at row 4"),
        (matrix(), DIM, "int8", "valid are float64, float32, float16"),
        (matrix(), 0, "float64", "at least one dimension"),
    ],
)
def test_a_matrix_that_contradicts_its_index_is_refused(
    tmp_path: Path, values: np.ndarray[Any, Any], dim: int, dtype: str, message: str
) -> None:
    files = write(tmp_path, values)
    with pytest.raises(ValueError, match=message):
        ReadyFeatures(*files, dim, dtype)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_numbers_beyond_half_precision_name_video_segment_and_row(tmp_path: Path, bad: float) -> None:
    values = matrix()
    values[1, 2] = bad
    ready = ReadyFeatures(*write(tmp_path, values), DIM)
    with pytest.raises(ValueError, match=r"row 1 \(video '65009', segment 2\).*not finite in half precision"):
        ready.segments("65009", 3)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "not an index"),
        ("{}", "not an index"),
        ({"8-0": "0"}, "'8-0' has '0' instead of a row number"),
        ({"8-0": 1.0}, "instead of a row number"),
        ({"8-0": -1}, "instead of a row number"),
        ({"8-0": True}, "instead of a row number"),
    ],
)
def test_a_malformed_index_is_refused(tmp_path: Path, index: Any, message: str) -> None:
    files = write(tmp_path, matrix(), index)
    with pytest.raises(ValueError, match=message) as error:
        ReadyFeatures(*files, DIM)
    assert "index.json" in str(error.value)


def test_absent_files_are_named(tmp_path: Path) -> None:
    features, index = write(tmp_path, matrix())
    for pair in ((tmp_path / "no.bin", index), (features, tmp_path / "no.json")):
        with pytest.raises(ValueError, match=r"no\.(bin|json): no such file"):
            ReadyFeatures(*pair, DIM)


def test_features_of_other_videos_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    ready = ReadyFeatures(*write(tmp_path, matrix(), {"a_0": 3}), DIM)
    with pytest.raises(ValueError, match=r"its keys look like 'a_0', the log's would be '65009-0'"):
        import_log("segmm", tmp_path / "log.csv", tmp_path / "store.h5", ready)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["features.bin", "index.json", "log.csv"]
