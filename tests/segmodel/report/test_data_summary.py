"""What the report counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segfeat.interactions import Interactions
from segmodel.data.views import make_views
from segmodel.report.data_summary import _lengths, _watch_ratio, summarise
from segmodel.runs.data import open_data


def test_counts_of_a_store(world: Any) -> None:
    found = summarise(open_data(world.run.config, world.store))
    assert (found.users, found.videos, found.views) == (10, 8, 240)
    assert sum(found.parts.values()) == 240
    assert sum(found.watch_ratio.counts) == sum(found.lengths.counts) == 240
    assert sum(found.watch_ratio.marked) == sum(found.lengths.marked) == round(found.completed * 240)
    assert [(code, n) for code, _, n in found.failure_counts] == [("not_a_video", 1), ("empty_file", 1)]
    assert found.encoders == [("visual", "test:<u>visual", 2, 1.0)]


def test_histograms_by_hand(make_log: Callable[..., Interactions]) -> None:
    rows = [("a", "x", i, watch, 10_000) for i, watch in enumerate((1, 999, 1_000, 9_999, 10_000, 25_000))]
    views = make_views(make_log(*rows, ("a", "y", 99, 4_000, 4_000)))
    ratio = _watch_ratio(views)
    assert {label: n for label, n in zip(ratio.labels, ratio.counts, strict=True) if n} == {
        "0.0–0.1": 2, "0.1–0.2": 1, "0.9–1.0": 1, "1.0–1.1": 2, "2 and more": 1,
    }  # fmt: skip
    assert dict(zip(ratio.labels, ratio.marked, strict=True))["1.0–1.1"] == 2
    lengths = _lengths(views)
    assert (lengths.labels, lengths.counts, lengths.marked) == (("1", "2"), (1, 6), (1, 2))
