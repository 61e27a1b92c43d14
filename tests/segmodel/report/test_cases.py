"""Which views are shown, and that what is shown of them is what was predicted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.views import Views, make_views
from segmodel.report.cases import LEVELS, auto_cases, choose_views
from segmodel.report.results import measure
from segmodel.runs.predictor import open_predictor


def views_of(make_log: Callable[..., Interactions], *rows: tuple[str, str, int]) -> Views:
    """Views of (user, video, duration s), all watched for 1 s, one a second."""
    return make_views(make_log(*((u, v, 1000 * i, 1000, 1000 * s) for i, (u, v, s) in enumerate(rows))))


def named(views: Views, chosen: list[list[tuple[int, bool]]]) -> list[list[tuple[str, str, bool]]]:
    return [
        [(str(views.video_ids[views.video[r]]), str(views.user_ids[views.user[r]]), best) for r, best in rows]
        for rows in chosen
    ]


def test_the_rule_by_hand(make_log: Callable[..., Interactions]) -> None:
    views = views_of(
        make_log,
        ("a", "two", 12), ("a", "three", 12), ("a", "short", 4), ("a", "alone", 30),
        ("b", "two", 12), ("b", "three", 12), ("b", "short", 4), ("b", "long", 40),
        ("c", "three", 12), ("c", "three", 12), ("c", "long", 40),
    )  # fmt: skip
    # In the order of the views: user a, b, c.
    nll = np.array([1.0, 0.5, 9.0, 3.0, 2.0, 0.4, 0.1, 0.8, 0.2, 7.0, 0.7])
    found = named(views, choose_views(views, nll, 4))
    assert found == [
        # Most users first. The best is one of c's two views, the worst (7.0) is c's as well: another user's it is.
        [("three", "c", True), ("three", "a", False)],
        # Two users each: the longer first.
        [("long", "c", True), ("long", "b", False)],
        [("two", "a", True), ("two", "b", False)],
        # Nobody else shares a video of two segments: the best foreseen of the rest.
        [("alone", "a", True)],
    ]
    assert named(views, choose_views(views, nll, 1)) == found[:1]


def test_single_views_take_turns(make_log: Callable[..., Interactions]) -> None:
    views = views_of(make_log, *((f"u{i}", f"v{i}", 12) for i in range(5)))
    found = choose_views(views, np.array([3.0, 1.0, 5.0, 2.0, 4.0]), 4)
    assert found == [[(1, True)], [(2, False)], [(3, True)], [(4, False)]]


def test_videos_of_one_segment_have_nothing_to_show(make_log: Callable[..., Interactions]) -> None:
    assert choose_views(views_of(make_log, ("a", "v", 4), ("b", "v", 4)), np.ones(2), 3) == []


def test_what_is_shown_was_predicted(world: Any) -> None:
    measured = measure(open_predictor(world.run), ("duration-position",))
    views, prediction = measured.held.data.views, measured.prediction
    cases = auto_cases(measured, world.store, 5)
    assert len(cases) == 5
    for case in cases:
        assert len({v.user_id for v in case.viewers}) == len(case.viewers) == 2
        assert case.viewers[0].nll <= case.viewers[1].nll
        for viewer in case.viewers:
            same = (views.user_ids[views.user] == viewer.user_id) & (views.video_ids[views.video] == case.video_id)
            (row,) = [r for r in np.flatnonzero(same) if np.isclose(measured.own.metrics.nll[r], viewer.nll)]
            n = views.segments[row]
            assert len(viewer.segments) == n
            assert viewer.segments[-1].end_s == case.duration_s == views.picture_s[row]
            np.testing.assert_allclose([s.survival for s in viewer.segments], prediction.survival[row, :n])
            assert viewer.watched_s == views.watch_s[row]
            assert viewer.completed == views.completed[row]
            assert -np.log(viewer.exit_probability) == pytest.approx(viewer.nll)
            # The area under the curve, straight between the ends of segments, is the expected watch time.
            edges = [1.0, *(s.survival for s in viewer.segments)]
            area = sum((a + b) / 2 * (s.end_s - s.start_s) for a, b, s in zip(edges, edges[1:], viewer.segments))  # noqa: B905
            assert area == pytest.approx(viewer.expected_watch_s)


def test_colours_rank_interest_over_all_views(world: Any) -> None:
    measured = measure(open_predictor(world.run), ("duration-position",))
    shown = [s for case in auto_cases(measured, world.store, 20) for v in case.viewers for s in v.segments]
    assert {s.level for s in shown} <= set(range(LEVELS))
    assert min(s.level for s in shown) <= 1
    assert max(s.level for s in shown) >= LEVELS - 2
    # Interest of a hazard model is -logit(hazard): less hazard is never a lower level.
    ordered = sorted(shown, key=lambda s: s.hazard)
    assert all(a.level >= b.level for a, b in pairwise(ordered))
