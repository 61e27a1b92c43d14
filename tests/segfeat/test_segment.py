"""Spans tile the duration; frame times lie inside their spans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.segment import FRAME_POSITIONS, frame_times, segment_count, segment_spans

durations_s = st.floats(0.01, 4000.0)
lengths_s = st.floats(0.1, 60.0)


@given(durations_s, lengths_s)
def test_spans_tile_the_duration(duration_s: float, segment_s: float) -> None:
    spans = segment_spans(duration_s, segment_s)
    assert spans.shape == (segment_count(duration_s, segment_s), 2)
    assert spans[0, 0] == 0.0
    assert spans[-1, 1] == duration_s
    np.testing.assert_array_equal(spans[1:, 0], spans[:-1, 1])
    lengths = spans[:, 1] - spans[:, 0]
    assert (lengths > 0).all()
    np.testing.assert_allclose(lengths[:-1], segment_s, rtol=1e-9)
    assert lengths[-1] <= segment_s + 2e-6


@given(st.integers(1, 200_000))
def test_whole_milliseconds_count_as_the_integer_ceiling(duration_ms: int) -> None:
    assert segment_count(duration_ms / 1000) == -(-duration_ms // 5000)


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [(0.3, 1), (4.999, 1), (5.0, 1), (5.001, 2), (10.0, 2), (10.0000001, 2), (10.001, 3), (200.0, 40)],
)
def test_exact_multiples_and_their_neighbours(duration_s: float, expected: int) -> None:
    assert segment_count(duration_s) == expected


def test_spans_by_hand() -> None:
    np.testing.assert_array_equal(segment_spans(13.0), [[0, 5], [5, 10], [10, 13]])
    np.testing.assert_array_equal(segment_spans(3.0, 2.0), [[0, 2], [2, 3]])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_impossible_lengths_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="duration must be a positive number"):
        segment_spans(bad)
    with pytest.raises(ValueError, match="segment length must be a positive number"):
        segment_spans(10.0, bad)


@given(durations_s, st.integers(1, 9), st.sampled_from(FRAME_POSITIONS))
def test_frame_times_lie_inside_their_spans_in_order(duration_s: float, frames: int, position: str) -> None:
    spans = segment_spans(duration_s)
    times = frame_times(spans, frames, position)
    assert times.shape == (len(spans), frames)
    assert (times >= spans[:, :1]).all()
    assert (times < spans[:, 1:]).all()
    assert (np.diff(times, axis=1) > 0).all()


def test_frame_times_by_hand() -> None:
    spans = segment_spans(13.0)
    np.testing.assert_array_equal(frame_times(spans), [[2.5], [7.5], [11.5]])
    np.testing.assert_array_equal(frame_times(spans, position="start"), [[0], [5], [10]])
    np.testing.assert_allclose(frame_times(spans, 2), [[1.25, 3.75], [6.25, 8.75], [10.75, 12.25]])
    np.testing.assert_allclose(frame_times(spans, 2, "start"), [[0, 2.5], [5, 7.5], [10, 11.5]])


def test_bad_frame_choices_are_refused() -> None:
    spans = segment_spans(13.0)
    with pytest.raises(ValueError, match="at least 1"):
        frame_times(spans, 0)
    with pytest.raises(ValueError, match="valid are middle, start"):
        frame_times(spans, 1, "end")
