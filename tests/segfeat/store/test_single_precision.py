"""Features come in single precision, exactly as they were stored, whoever converts them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segfeat.store import single_precision
from segfeat.store.parted_column import PartedColumn
from segfeat.store.single_precision import single


@pytest.mark.parametrize("with_torch", [True, False])
def test_every_half_is_the_single_that_it_stands_for(monkeypatch: pytest.MonkeyPatch, with_torch: bool) -> None:
    monkeypatch.setattr(single_precision, "loaded_torch", lambda: torch if with_torch else None)
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 64)
    expected = np.array([float(x) for x in halves.ravel()], dtype=np.float32).reshape(halves.shape)
    found = single(halves)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    found[:] = 0  # their own memory
    assert np.isnan(halves).any()


def test_singles_stay_what_they_are_and_read_only_halves_are_read() -> None:
    values = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert single(values) is values
    halves = values.astype(np.float16)
    halves.flags.writeable = False
    np.testing.assert_array_equal(single(halves), halves.astype(np.float32))


def test_parts_of_two_precisions_lose_nothing() -> None:
    parts = [np.float16([[1.5], [2.5]]), np.float32([[0.1], [1e-9]])]
    for runs in ([(0, 0, 2), (1, 0, 2)], [(1, 0, 2), (0, 0, 2)]):
        column = PartedColumn(runs, lambda k, rows: parts[k][rows], (4, 1), np.float32, as_stored=True)
        expected = np.concatenate([parts[k] for k, _, _ in runs]).astype(np.float32)
        rows = np.array([3, 0, 2, 1])
        np.testing.assert_array_equal(column.take(rows), expected[rows])
        assert column.take(np.zeros(0, np.int64)).shape == (0, 1)
    halves = PartedColumn([(0, 0, 1), (0, 1, 2)], lambda k, rows: parts[0][rows], (2, 1), np.float32, as_stored=True)
    assert halves.take(np.array([1, 0])).dtype == np.float16
