"""What tables say of differences: stars, Holm's adjustment, few users, what was resampled."""

from __future__ import annotations

import math

import pytest

from segmodel.evaluation.comparison import ALL_CUTS, Comparison, Figure
from segmodel.evaluation.markdown import comparison_markdown, gap, rough, star
from segmodel.evaluation.view_metrics import ALL_METRICS


def _figure(model: str, metric: str = "nll", p: float = math.nan, users: int = 80, seeds: int = 3) -> Figure:
    apart = (0.2, 0.1, 0.3) if p < 0.05 else (0.2, -0.1, 0.5)
    return Figure(model, "test", "all", metric, 900, users, seeds, 1.5, 0.01, *apart, p)


def test_a_star_for_the_interval_and_one_for_the_table() -> None:
    clear, unclear = _figure("a", p=0.01), _figure("a", p=0.2)
    assert star(clear) == star(clear, 0.2) == "*"
    assert star(clear, 0.03) == "**"
    assert star(unclear) == star(unclear, 0.001) == ""
    assert gap(clear, 0.03) == "+0.2000 [+0.1000, +0.3000]**"
    assert gap(Figure("a", "test", "all", "nll", 1, 1, 1, 1.0, math.nan)) == "–"


@pytest.mark.parametrize(("users", "said"), [(49, True), (50, False)])
def test_few_users_are_called_rough(users: int, said: bool) -> None:
    assert ("rough" in rough(users)) == said


def _comparison(seeds: int, users: int, others: int) -> Comparison:
    metrics = tuple(ALL_METRICS)
    none = [Figure("base", "test", "all", m, 900, users, seeds, 1.0, math.nan) for m in metrics]
    # One difference of the others' headlines has p = .01, all the others .9.
    rest = [
        _figure(f"m{i}", m, 0.01 if (i, m) == (0, "nll") else 0.9, users, seeds) for i in range(others) for m in metrics
    ]
    return Comparison("base", (*none, *rest))


def test_one_clear_row_among_many_is_not_clear_of_all() -> None:
    assert ALL_CUTS not in _comparison(3, 80, 1).cuts
    # Three differences: .01 · 3 is below .05. Sixty: it is not.
    few, many = (comparison_markdown(_comparison(3, 80, others)) for others in (1, 20))
    assert few.count("]**") == 1
    assert many.count("]**") == 0
    assert many.count("]* ") == 1


def test_the_heading_says_what_was_resampled() -> None:
    assert "over users and seeds" in comparison_markdown(_comparison(3, 80, 1))
    alone = comparison_markdown(_comparison(1, 20, 1))
    assert "without training noise" in alone
    assert "Fewer than 50 users" in alone
