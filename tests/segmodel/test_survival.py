"""Hazard, survival, exits and expected watch time, by hand and as inverses of each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodel.survival import (
    expected_watch_s,
    hazard_from_slots,
    segment_mask,
    slots_from_hazard,
    span_midpoints_s,
    survival_from_hazard,
)

HAZARD = np.array([[0.5, 0.2, 0.9], [1.0, 0.5, 0.5], [0.0, 0.0, 0.0]])
SEGMENTS = np.array([2, 3, 1])
SLOTS = np.array([[0.5, 0.1, 0.4, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])


def test_by_hand() -> None:
    np.testing.assert_allclose(slots_from_hazard(HAZARD, SEGMENTS), SLOTS)
    np.testing.assert_allclose(
        survival_from_hazard(HAZARD, SEGMENTS), [[0.5, 0.4, 0.4], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    )
    # What is never reached has hazard 0, as has padding.
    np.testing.assert_allclose(hazard_from_slots(SLOTS, SEGMENTS), [[0.5, 0.2, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(
        segment_mask(SEGMENTS, 3), [[True, True, False], [True, True, True], [True, False, False]]
    )


def test_expected_watch_time_by_hand() -> None:
    """A video of 7 s: 2.5 s in the first segment, 6 s in the second, 7 s to the end."""
    np.testing.assert_allclose(span_midpoints_s(np.array([7.0]), 2, 5.0), [[2.5, 6.0]])
    found = expected_watch_s(np.array([[0.5, 0.3, 0.2, 0.0]]), np.array([2]), np.array([7.0]), 5.0)
    np.testing.assert_allclose(found, [0.5 * 2.5 + 0.3 * 6.0 + 0.2 * 7.0])


@st.composite
def hazards(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    width = draw(st.integers(1, 40))
    segments = np.array(draw(st.lists(st.integers(1, width), min_size=1, max_size=6)))
    value = st.one_of(st.sampled_from([0.0, 1.0, 1e-12, 1 - 1e-12]), st.floats(0, 1))
    flat = draw(st.lists(value, min_size=len(segments) * width, max_size=len(segments) * width))
    return np.array(flat).reshape(len(segments), width), segments


@given(hazards())
def test_exits_are_a_distribution_and_give_the_hazard_back(case: tuple[np.ndarray, np.ndarray]) -> None:
    hazard, segments = case
    slots = slots_from_hazard(hazard, segments)
    rows = np.arange(len(segments))
    assert (slots >= 0).all()
    np.testing.assert_allclose(slots.sum(axis=1), 1.0, atol=1e-12)
    assert not slots[np.arange(slots.shape[1])[None, :] > segments[:, None]].any()
    survival = survival_from_hazard(hazard, segments)
    assert (np.diff(survival, axis=1) <= 0).all()
    np.testing.assert_allclose(slots[rows, segments], survival[rows, segments - 1], atol=1e-12)
    np.testing.assert_allclose(survival[:, -1], survival[rows, segments - 1])
    back = hazard_from_slots(slots, segments)
    before = np.concatenate([np.ones((len(rows), 1)), survival[:, :-1]], axis=1)
    reached = segment_mask(segments, hazard.shape[1]) & (before > 1e-9)
    np.testing.assert_allclose(back[reached], hazard[reached], atol=1e-6)


@given(hazards(), st.integers(1, 5))
def test_padding_is_inert(case: tuple[np.ndarray, np.ndarray], more: int) -> None:
    hazard, segments = case
    wide = np.concatenate([hazard, np.full((len(hazard), more), 0.7)], axis=1)
    slots = slots_from_hazard(hazard, segments)
    np.testing.assert_allclose(slots_from_hazard(wide, segments)[:, : slots.shape[1]], slots)
    length = segments * 5.0 - 1.0
    np.testing.assert_allclose(
        expected_watch_s(slots_from_hazard(wide, segments), segments, length, 5.0),
        expected_watch_s(slots, segments, length, 5.0),
    )


def test_expected_watch_time_lies_within_the_video(rng: np.random.Generator) -> None:
    segments = rng.integers(1, 41, 200)
    length = segments * 5.0 - rng.uniform(0.1, 4.9, 200)
    found = expected_watch_s(slots_from_hazard(rng.random((200, 40)), segments), segments, length, 5.0)
    assert ((found > 0) & (found <= length + 1e-9)).all()
    nobody_leaves = expected_watch_s(slots_from_hazard(np.zeros((200, 40)), segments), segments, length, 5.0)
    assert nobody_leaves == pytest.approx(length)
