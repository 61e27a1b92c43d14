"""Comparisons: figures by hand, seeds and cuts, refusals, and the files that come out."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.views import Views, make_views
from segmodel.evaluation.comparison import ALL_CUTS, compare_outcomes
from segmodel.evaluation.comparison_files import write_comparison
from segmodel.evaluation.evaluation import Evaluation, evaluate
from segmodel.evaluation.svg import differences_svg
from segmodel.prediction import from_slots
from segmodel.runs.compare import compare, cut_name, group_runs
from segmodel.runs.config import RunConfig
from segmodel.runs.run import Run
from segmodel.runs.sweep import fit_grid

MakeLog = Callable[..., Interactions]


@pytest.fixture
def views(make_log: MakeLog) -> Views:
    """Six views of one-segment videos by three users, half of them skipped."""
    return make_views(make_log(*((f"u{i % 3}", f"v{i % 2}", i, 1_000 if i % 2 else 4_000, 4_000) for i in range(6))))


def predicts(views: Views, p_skip: float | np.ndarray, train: Views | None = None) -> Evaluation:
    """The evaluation of a model that gives every view the same P(skip), or each its own."""
    p = np.broadcast_to(p_skip, len(views))
    return evaluate(from_slots(np.stack([p, 1 - p], axis=1), views), views, views if train is None else train)


def test_differences_by_hand(views: Views) -> None:
    right = np.where(views.completed, 0.2, 0.8)
    found = compare_outcomes({"a": {"late": [predicts(views, 0.5)]}, "b": {"late": [predicts(views, right)]}}, "a")
    assert found.cuts == ["late"]
    figures = found.table("late")
    gap = figures["b"]["nll"]
    assert (gap.views, gap.users, gap.seeds) == (6, 3, 1)
    assert gap.mean == pytest.approx(-np.log(0.8))
    assert gap.difference == pytest.approx(np.log(0.5) - np.log(0.8))
    # Every view improves by the same, so that the interval has no width.
    assert (gap.low, gap.high) == (pytest.approx(gap.difference), pytest.approx(gap.difference))
    assert math.isnan(figures["a"]["nll"].difference)
    assert figures["b"]["masked_hr@1"].views == 3
    assert figures["b"]["completion_auc"].mean == 1.0
    assert math.isnan(figures["b"]["completion_auc"].difference)


def test_seeds_are_averaged_view_by_view(views: Views) -> None:
    seeds = [predicts(views, p) for p in (0.5, 0.3)]
    found = compare_outcomes({"ref": {"late": [predicts(views, 0.5)]}, "m": {"late": seeds}}, "ref")
    figure = found.table("late")["m"]["nll"]
    half, third = np.log(2), -(np.log(0.3) + np.log(0.7)) / 2
    assert figure.seeds == 2
    assert figure.mean == pytest.approx((half + third) / 2)
    assert figure.std == pytest.approx(np.std([half, third], ddof=1))
    assert figure.difference == pytest.approx((third - half) / 2)


def test_cuts_together_are_all_their_views_of_the_same_users(views: Views) -> None:
    early = views.take(np.arange(4))
    both = {
        name: {"early": [predicts(early, p)], "late": [predicts(views, q)]}
        for name, p, q in (("ref", 0.5, 0.5), ("m", 0.5, 0.4))
    }
    found = compare_outcomes({**both, "only late": {"late": [predicts(views, 0.1)]}}, "ref")
    assert found.cuts == ["early", "late", ALL_CUTS]
    together = found.table(ALL_CUTS)
    assert set(together) == {"ref", "m"}
    assert set(found.table("late")) == {"ref", "m", "only late"}
    figure = together["m"]["nll"]
    assert (figure.views, figure.users) == (10, 3)
    late = -(np.log(0.4) + np.log(0.6)) / 2
    assert figure.mean == pytest.approx((4 * np.log(2) + 6 * late) / 10)


def test_cold_views_are_a_group_of_their_own(views: Views) -> None:
    train = views.take(views.video_ids[views.video] == "v0")
    found = compare_outcomes({"m": {"late": [predicts(views, 0.5, train)]}}, "m")
    assert found.table("late", "cold video")["m"]["nll"].views == 3
    assert found.table("late", "warm video")["m"]["nll"].views == 3


def test_different_views_are_refused(views: Views) -> None:
    with pytest.raises(ValueError, match=r"m and ref were evaluated on different views \(late\)"):
        compare_outcomes(
            {"ref": {"late": [predicts(views, 0.5)]}, "m": {"late": [predicts(views.take(np.arange(5)), 0.5)]}}, "ref"
        )
    with pytest.raises(ValueError, match="unknown reference 'x'; valid are ref"):
        compare_outcomes({"ref": {"late": [predicts(views, 0.5)]}}, "x")
    with pytest.raises(ValueError, match="the reference ref was not evaluated on 'late'"):
        compare_outcomes({"ref": {"early": [predicts(views, 0.5)]}, "m": {"late": [predicts(views, 0.5)]}}, "ref")


@pytest.fixture
def trained(store_path: Path, tmp_path: Path) -> dict[str, list[Run]]:
    variants = {"short": {"model": "duration-position"}, "own": {"model": "duration-user-position"}}
    return fit_grid(store_path, variants, tmp_path / "runs", cuts=(0.8, 0.9), seeds=(0, 1))


def test_a_grid_has_a_run_per_cell_and_trains_none_twice(
    trained: dict[str, list[Run]], store_path: Path, tmp_path: Path
) -> None:
    assert [len(runs) for runs in trained.values()] == [4, 4]
    assert {(r.config.train_share, r.config.seed) for r in trained["own"]} == {(0.7, 0), (0.7, 1), (0.8, 0), (0.8, 1)}
    names = {r.name for runs in trained.values() for r in runs}
    assert "own-from-800-seed-1" in names
    assert len(names) == 8
    assert not (tmp_path / "runs" / "latest").exists()
    lines: list[str] = []
    again = fit_grid(
        store_path,
        {"own": {"model": "duration-user-position"}},
        tmp_path / "runs",
        cuts=(0.9,),
        seeds=(1, 2),
        progress=lines.append,
    )
    assert lines == ["training own-from-900-seed-2 (2/2, 0:00 to go)"]
    assert again["own"][0].folder == tmp_path / "runs" / "own-from-900-seed-1"
    with pytest.raises(ValueError, match=r"own-from-900-seed-1 was trained with other options"):
        fit_grid(store_path, {"own": {"model": "duration-position"}}, tmp_path / "runs", seeds=(1,))


@pytest.mark.parametrize("cut", [0.1, 0.0, 1.0, 1.5])
def test_cuts_that_leave_nothing_are_refused(store_path: Path, tmp_path: Path, cut: float) -> None:
    with pytest.raises(ValueError, match=f"cut {cut:g}"):
        fit_grid(store_path, {"m": {"model": "duration-position"}}, tmp_path / "runs", cuts=(cut,))


def test_runs_and_baselines_share_the_table(trained: dict[str, list[Run]], tmp_path: Path) -> None:
    found = compare(trained, ["duration-position", "random"])
    assert found.reference == "duration-position"
    assert found.cuts == ["test from 80%", "test from 90%", ALL_CUTS]
    for cut in found.cuts:
        table = found.table(cut)
        assert list(table) == ["short", "own", "duration-position", "random"]
        # A run of the same model is the baseline itself.
        assert table["short"]["nll"].mean == pytest.approx(table["duration-position"]["nll"].mean)
        assert table["short"]["nll"].difference == 0.0
        assert table["short"]["nll"].std == 0.0
        assert table["random"]["paper_ndcg@5"].difference < 0

    write_comparison(found, tmp_path / "out")
    with (tmp_path / "out" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.figures)
    wanted = found.table(ALL_CUTS)["own"]["nll"]
    (row,) = [r for r in rows if [r["model"], r["cut"], r["group"], r["metric"]] == ["own", ALL_CUTS, "all", "nll"]]
    assert float(row["mean"]) == pytest.approx(wanted.mean, rel=1e-5)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["reference"] == "duration-position"
    assert len(content["figures"]) == len(rows)
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert f"{wanted.mean:.4f} ± {wanted.std:.4f}" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    ElementTree.parse(tmp_path / "out" / "comparison.svg")


def test_a_baseline_does_not_mix_with_a_model_of_its_name(trained: dict[str, list[Run]]) -> None:
    models = {"own": trained["own"], "duration-position": trained["short"]}
    found = compare(models, ["duration-position", "random"])
    figures = found.table("test from 90%")
    assert list(figures) == ["own", "duration-position", "random"]
    assert figures["duration-position"]["nll"].seeds == 2


def test_the_chart_puts_better_on_its_side(views: Views) -> None:
    right = np.where(views.completed, 0.2, 0.8)
    chances = {"ref": 0.5, "b<est": right, "worst": 1 - right}
    found = compare_outcomes({name: {"c": [predicts(views, p)]} for name, p in chances.items()}, "ref")
    svg = ElementTree.fromstring(differences_svg(found))
    dots = [e for e in svg.iter() if e.tag.endswith("circle")]
    assert [d.get("fill") for d in dots[:2]] == ["#1a7f5a", "#b3402e"]
    # Less NLL lies to the left, and zero between the two.
    zero = next(e for e in svg.iter() if e.tag.endswith("line") and e.get("stroke") == "#888").get("x1")
    assert float(dots[0].get("cx", "nan")) < float(zero or "nan") < float(dots[1].get("cx", "nan"))


def test_runs_are_one_model_where_only_seed_and_cut_differ(trained: dict[str, list[Run]]) -> None:
    runs = [run for group in trained.values() for run in group]
    assert {name: len(group) for name, group in group_runs(runs).items()} == {
        "duration-position": 4,
        "duration-user-position": 4,
    }
    own = trained["own"][0]
    other = replace(own, config=replace(own.config, settings={**own.config.settings, "skip_prior_views": 5.0}))
    assert list(group_runs([own, other])) == [
        "duration-user-position skip_prior_views=20.0",
        "duration-user-position skip_prior_views=5.0",
    ]


def test_runs_of_different_logs_are_refused(trained: dict[str, list[Run]]) -> None:
    own = trained["own"][0]
    alien = replace(own, data={**own.data, "log_fingerprint": "another"})
    with pytest.raises(ValueError, match="trained on different logs"):
        compare({"m": [own, alien]})
    with pytest.raises(ValueError, match="no run to compare"):
        compare({})


def test_every_random_split_is_a_cut_of_its_own() -> None:
    config = RunConfig(store="", model="paper", split="random", seed=3)
    assert cut_name(config) == "random split 3"
    assert cut_name(replace(config, split="temporal", train_share=0.6)) == "test from 70%"
