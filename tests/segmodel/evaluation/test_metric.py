"""The registry of metrics is what tables and charts say."""

from __future__ import annotations

import pytest

from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.markdown import HEADLINES, comparison_markdown
from segmodel.evaluation.metric import Metric, registry
from segmodel.evaluation.svg import differences_svg
from segmodel.evaluation.view_metrics import ALL_METRICS, METRICS, POOLED


def figures(model: str, value: float) -> list[Figure]:
    return [
        Figure(model, "test", "all", name, 10, 3, 1, value, float("nan"), *([-0.5, -0.6, -0.4] if value else []))
        for name in ALL_METRICS
    ]


@pytest.fixture
def comparison() -> Comparison:
    return Comparison("plain", (*figures("plain", 0.0), *figures("other", 0.25)))


def test_every_metric_is_in_one_registry_under_its_own_name() -> None:
    assert list(ALL_METRICS) == [*METRICS, *POOLED]
    assert all(name == metric.name for name, metric in ALL_METRICS.items())
    losses = {name for name, m in ALL_METRICS.items() if m.less_is_better}
    assert losses == {"nll", "brier", "watch_error_s", "completes_ece", "leaves_first_ece"}


def test_a_metric_measures_when_called() -> None:
    (metric,) = registry(Metric("sum", "Sum", 1, "more", lambda a, b: a + b, "s", "paper")).values()
    assert metric(2, 3) == 5
    assert metric.full_title == "Sum paper"


def test_tables_show_every_metric_with_its_title_and_digits(comparison: Comparison) -> None:
    text = comparison_markdown(comparison)
    for metric in ALL_METRICS.values():
        assert metric.full_title in text
    assert text.count("0.25 ") == 1  # the watch-time error alone has two digits


def test_the_chart_colours_by_direction(comparison: Comparison) -> None:
    svg = differences_svg(comparison)
    # All lie .5 below the reference, which is better only where less is.
    dots = [line for line in svg.splitlines() if line.startswith("<circle")]
    assert ["#1a7f5a" in dot for dot in dots] == [m.less_is_better for m in HEADLINES]
    assert "NLL (less is better)" in svg
    assert "N@5 masked (more is better)" in svg
