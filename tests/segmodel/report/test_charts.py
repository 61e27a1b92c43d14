"""Drawings: marks stand where their numbers say."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from segmodel.evaluation.bootstrap import Interval
from segmodel.evaluation.reliability import reliability
from segmodel.report.charts import calibration_svg, histogram_svg, interval_scale, interval_svg, lines_svg
from segmodel.report.data_summary import Histogram

NAN = float("nan")


def marks(svg: Markup, tag: str, css: str) -> list[dict[str, str]]:
    return [dict(e.attrib) for e in ElementTree.fromstring(svg).iter(tag) if e.get("class", "") == css]


def test_bars_are_as_high_as_their_counts() -> None:
    svg = histogram_svg(Histogram(("a", "<b>", "c"), (4, 0, 8), (1, 0, 8)), "Views", "x & y")
    left, done = marks(svg, "rect", "bar"), marks(svg, "rect", "bar done")
    heights = [float(bar["height"]) for bar in (*left, *done)]
    assert len(left) == 1  # the last bar is all done, the middle one empty
    assert np.array(heights) / heights[1] == pytest.approx([3, 1, 8], rel=0.02)
    # The two parts of the first bar stand on each other.
    assert float(left[0]["y"]) + heights[0] == pytest.approx(float(done[0]["y"]), abs=0.15)
    assert "&lt;b&gt;" in svg


def test_dots_of_a_right_model_lie_on_the_diagonal() -> None:
    p = np.repeat([0.2, 0.5, 0.8], 100)
    outcome = np.concatenate([np.arange(100) < 100 * q for q in (0.2, 0.5, 0.8)])
    svg = calibration_svg(reliability(p, outcome, bins=3), "P(x)")
    dots = marks(svg, "circle", "dot")
    assert len(dots) == 3
    (diagonal,) = marks(svg, "polyline", "ideal")
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in diagonal["points"].split())
    for dot, q in zip(dots, (0.2, 0.5, 0.8), strict=True):
        assert (float(dot["cx"]), float(dot["cy"])) == pytest.approx((x0 + q * (x1 - x0), y0 + q * (y1 - y0)), abs=0.1)


def test_the_best_epoch_is_marked() -> None:
    svg = lines_svg([[3.0, 1.0, 2.0]], "valid_nll", [1])
    (best,) = marks(svg, "circle", "dot best")
    others = marks(svg, "circle", "dot")
    assert float(best["cy"]) > max(float(o["cy"]) for o in others)  # lowest value, lowest on the page
    assert float(others[0]["cx"]) < float(best["cx"]) < float(others[1]["cx"])
    several = lines_svg([[3.0, 1.0], [2.0, 2.5, 1.5]], "valid_nll", [1, 2])
    assert len(marks(several, "polyline", "line")) == len(marks(several, "circle", "dot best")) == 2
    assert marks(lines_svg([[2.0, 2.0]], "loss"), "polyline", "line")


@pytest.mark.parametrize(
    ("interval", "less", "css"),
    [
        (Interval(-1.0, -2.0, -0.5), True, "better"),
        (Interval(-1.0, -2.0, -0.5), False, "worse"),
        (Interval(1.0, 0.5, 2.0), False, "better"),
        (Interval(1.0, -0.5, 2.0), True, "unclear"),
        (Interval(1.0, NAN, NAN), True, "unclear"),
    ],
)
def test_intervals_say_better_only_when_clear(interval: Interval, less: bool, css: str) -> None:
    scale = interval_scale([interval, Interval(NAN, NAN, NAN)])
    svg = interval_svg(interval, scale, less)
    assert f'class="interval {css}"' in svg
    (dot,) = (e for e in ElementTree.fromstring(svg).iter("circle"))
    assert 75 + 75 * interval.mean / scale == pytest.approx(float(dot.attrib["cx"]), abs=0.1)
    assert len(marks(svg, "line", "bar")) == (0 if np.isnan(interval.low) else 1)


def test_the_reference_has_no_interval() -> None:
    assert interval_svg(Interval(NAN, NAN, NAN), 1.0, True) == ""
