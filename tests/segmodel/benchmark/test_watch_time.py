"""The watch-time benchmark on a small log: what is fitted, compared and shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segmodel.benchmark.budget import Budget
from segmodel.benchmark.extent import Extent
from segmodel.benchmark.plan import make_plan
from segmodel.benchmark.systems import chosen
from segmodel.benchmark.watch_time import WATCH_SYSTEMS, WatchFound, run_watch
from segmodel.benchmark.watch_time_table import distances, watch_tables
from segmodel.evaluation.watch_time_metrics import ALL_WATCH_METRICS, WatchTimes

TINY = Budget(trials=2, seeds=2, epochs=1, patience_updates=1)

NAMES = "duration-position,duration-user-position,d2q,hazard-all"


@pytest.fixture(scope="module")
def found(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatchFound]:
    folder = tmp_path_factory.mktemp("watch")
    return folder, run_watch(make_plan(store, TINY, folder), chosen(NAMES, WATCH_SYSTEMS))


def test_what_is_finished_is_not_done_again(store: Path, found: tuple[Path, WatchFound]) -> None:
    lines: list[str] = []
    again = run_watch(make_plan(store, TINY, found[0]), chosen(NAMES, WATCH_SYSTEMS), progress=lines.append)
    assert lines == ["6 of 6 fits are there already", "3 of 3 fits are there already"]
    np.testing.assert_array_equal(again.times["d2q"][1].crps_s, found[1].times["d2q"][1].crps_s)


def test_tables(found: tuple[Path, WatchFound], tmp_path: Path) -> None:
    systems, result = chosen(NAMES, WATCH_SYSTEMS), found[1]
    tables = watch_tables(systems, result)
    assert tables.write(tmp_path, Extent({}, {}, ())) == "watch-time"
    text = (tmp_path / "watch-time.md").read_text()
    replayed = (result.views.watch_ms > result.views.duration_ms).mean()
    assert f"{replayed:.1%} were watched longer than the video" in text
    for metric in ALL_WATCH_METRICS.values():
        assert f"{metric.title} {metric.unit}".rstrip() in text
    crps = {n: np.mean([t.crps_s.mean() for t in times]) for n, times in result.times.items()}
    assert tables.references["crps_s"] == min(crps, key=lambda n: crps[n])
    assert f"{crps['d2q']:.3f}" in next(line for line in text.splitlines() if "| WatchTime | d2q |" in line)
    assert "| the store has no content features |" in text
    content = json.loads((tmp_path / "watch-time.json").read_text())
    assert content["all"]["d2q"]["crps_s"] == pytest.approx(crps["d2q"])
    best = content["references"]["xgauc"]
    name = next(n for n in content["all"] if n != best)
    apart = content["all"][name]["xgauc"] - content["all"][best]["xgauc"]
    assert content["differences"]["xgauc"][name]["mean"] == pytest.approx(apart)
    assert sum(int(mask.sum()) for mask in tables.buckets().values()) == len(result.views)


def test_paired_intervals_hold_what_differs_and_not_what_does_not(rng: np.random.Generator) -> None:
    n = 600
    user = np.repeat(np.arange(60), 10)
    watch = rng.exponential(5.0, n)

    def times(noise: float) -> list[WatchTimes]:
        expected = watch + rng.normal(0, noise, n)
        error = np.abs(expected - watch)
        return [WatchTimes(expected, expected, expected, watch, error, error, error, error, user)]

    good, bad, alike = times(1.0), times(8.0), times(1.0)
    for metric, sign in (("xauc", 1), ("crps_s", -1)):
        apart, also = distances(metric, [good, alike], bad)
        assert apart.clear
        assert also.clear
        assert sign * apart.mean > 0
        assert apart.low < apart.mean < apart.high
        (same,) = distances(metric, [good], alike)
        assert same.low < 0 < same.high
        # Two trainings that end so far apart say little about a third.
        (unsteady,) = distances(metric, [[*times(0.5), *times(6.0)]], [*bad, *times(8.0)])
        assert sign * unsteady.mean > 0
        assert not unsteady.clear


def test_command(store: Path, tmp_path: Path) -> None:
    from segfeat_cli.segmodel.benchmark import benchmark

    arguments = ["watch-time", str(store), "--budget", "small", "-o", str(tmp_path), "--systems"]
    result = CliRunner().invoke(benchmark, [*arguments, "duration-position,duration-user-position"])
    assert result.exit_code == 0, result.output
    assert "**CRPS by the video's length**" in result.output
    assert (tmp_path / "watch-time.json").exists()
    wrong = CliRunner().invoke(benchmark, [*arguments, "youtube"])
    assert "unknown system youtube; valid are all, duration-position" in f"{wrong.output}{wrong.exception}"
