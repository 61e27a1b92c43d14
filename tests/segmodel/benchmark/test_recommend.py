"""The recommendation benchmark on a small log: what is fitted, what is kept, what the tables say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from segmodel.benchmark.budget import RECOMMEND_BUDGETS, Budget
from segmodel.benchmark.cells import Cell, Outcome
from segmodel.benchmark.extent import Extent
from segmodel.benchmark.plan import make_plan
from segmodel.benchmark.recommend import RecommendBench, Recommended, run_recommend
from segmodel.benchmark.recommend_table import recommend_tables
from segmodel.benchmark.weightings import MODES, chosen_backbones, chosen_modes
from segmodel.recommend.segrec import SegRec
from segmodel.runs.data import RunData
from tests.segmodel.conftest import make_log, make_store

TINY = Budget(trials=2, seeds=2, epochs=1, patience_updates=1, folds=2)

COLUMNS = chosen_backbones("widedeep,can")

ROWS = chosen_modes("segsum,item-position,backbone,freedom,hazard-id,direct")


@pytest.fixture(scope="module")
def found(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recommended]:
    folder = tmp_path_factory.mktemp("done")
    return folder, run_recommend(make_plan(store, TINY, folder), COLUMNS, ROWS)


@pytest.fixture
def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is really fitted."""
    fitted: list[str] = []
    before = RecommendBench.fit

    def fit(self: RecommendBench, run_data: RunData, cell: Cell) -> Outcome:
        fitted.append(cell.system)
        return before(self, run_data, cell)

    monkeypatch.setattr(RecommendBench, "fit", fit)
    return fitted


def test_modes_and_backbones_keep_the_tables_order() -> None:
    assert [m.name for m in chosen_modes("direct, segsum")] == ["video", "segsum", "direct"]
    assert len(chosen_modes("all")) == len(MODES)
    assert chosen_backbones("can,widedeep") == ("widedeep", "can")
    with pytest.raises(ValueError, match="unknown mode tidy; valid are all, video, segsum"):
        chosen_modes("tidy")
    with pytest.raises(ValueError, match="unknown backbone sasrec; valid are all, widedeep"):
        chosen_backbones("sasrec")
    with pytest.raises(ValueError, match="no mode given"):
        chosen_modes(" ,")


def test_modes_know_whose_interest_they_need() -> None:
    assert [n for n, m in MODES.items() if m.lacks(())] == ["freedom", "paper-content", "paper-all", "hazard-all"]
    assert not any(m.lacks(("text",)) for m in MODES.values())
    assert MODES["backbone"].source("din", ()) == "din"
    assert MODES["segsum"].source("din", ()) == ""
    assert (MODES["direct"].source("din", ()), MODES["direct"].source("din", ("text",))) == ("hazard-id", "hazard-all")


def test_every_cell_has_figures_or_a_reason(found: tuple[Path, Recommended]) -> None:
    result = found[1]
    for backbone in COLUMNS:
        assert result.absent[backbone] == {"freedom": "the store has no content features"}
        assert set(result.probability[backbone]) == {m.name for m in ROWS} - {"freedom"}
        for seeds in result.probability[backbone].values():
            assert len(seeds) == 2
            assert all(((p >= 0) & (p <= 1)).all() and len(p) == len(result.effective) for p in seeds)
    # Interest is shared by the backbones, and so is what has none.
    for one, other in zip(*(result.probability[b]["direct"] for b in COLUMNS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_finished_is_not_done_again(
    store: Path, found: tuple[Path, Recommended], count_fits: list[str]
) -> None:
    folder, before = found
    lines: list[str] = []
    again = run_recommend(make_plan(store, TINY, folder), COLUMNS, ROWS, progress=lines.append)
    assert count_fits == []
    # Two trials of two backbones; two seeds of four interests and of one survival curve; five modes of two backbones.
    assert lines == [f"{n} of {n} fits are there already" for n in (4, 10, 20)]
    assert again.settings == before.settings
    for backbone, modes in before.probability.items():
        for name, seeds in modes.items():
            np.testing.assert_array_equal(seeds, again.probability[backbone][name])


def test_only_what_is_missing_is_done(store: Path, found: tuple[Path, Recommended], count_fits: list[str]) -> None:
    folder, _ = found
    next((folder / "cells").glob("can-interest-item-position-seed-1-*.npz")).unlink()
    run_recommend(make_plan(store, TINY, folder), COLUMNS, ROWS)
    assert count_fits == ["can-interest-item-position"]
    count_fits.clear()
    run_recommend(make_plan(store, TINY, folder), COLUMNS, chosen_modes("segadjust"))
    assert count_fits == ["widedeep-segadjust"] * 2 + ["can-segadjust"] * 2
    # Interest fitted in another way is another interest.
    count_fits.clear()
    run_recommend(make_plan(store, replace(TINY, folds=1), folder), COLUMNS[:1], chosen_modes("item-position"))
    assert count_fits == ["interest-item-position"] * 2 + ["widedeep-interest-item-position"] * 2


def test_content_fills_the_rows_that_need_it(tmp_path: Path) -> None:
    path = make_store(tmp_path / "feats.h5", make_log())
    rows = chosen_modes("freedom,paper-content,hazard-all,direct")
    once = replace(TINY, trials=1, seeds=1, folds=1)
    result = run_recommend(make_plan(path, once, tmp_path), COLUMNS[:1], rows)
    assert result.absent["widedeep"] == {}
    assert set(result.probability["widedeep"]) == {m.name for m in rows}
    # The direct row is read off the survival curves of all modalities.
    assert {n for n in result.seconds if n.startswith("interest")} == {f"interest-{m.name}" for m in rows[1:-1]}
    assert result.seconds["direct"] == result.seconds["interest-hazard-all"] > 0


def test_worker_processes_find_the_same(store: Path, found: tuple[Path, Recommended], tmp_path: Path) -> None:
    folder, before = found
    shutil.copytree(folder / "cells", tmp_path / "cells")
    for path in (tmp_path / "cells").glob("can-interest-item-position-*.npz"):
        path.unlink()
    result = run_recommend(make_plan(store, TINY, tmp_path), COLUMNS, ROWS, jobs=2)
    one, other = (r.probability["can"]["item-position"] for r in (result, before))
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_what_fails_stands_with_its_reason(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SegRec.fit

    def fit(self: SegRec, *arguments: object) -> None:
        if self.backbone == "can" or self.weighing == "segsum":
            raise ValueError("the training loss is nan")
        honest(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SegRec, "fit", fit)
    rows = chosen_modes("segsum,direct")
    result = run_recommend(make_plan(store, TINY, tmp_path), COLUMNS, rows)
    assert set(result.probability["widedeep"]) == {"video", "direct"}
    assert not result.probability["can"]
    text = recommend_tables(COLUMNS, rows, result).markdown()
    assert "- SegSum: the training loss is nan" in text
    assert "- Video (CAN): the training loss is nan" in text
    nothing = run_recommend(make_plan(store, TINY, tmp_path / "can"), COLUMNS[1:], rows)
    with pytest.raises(ValueError, match="no backbone could be fitted"):
        recommend_tables(COLUMNS[1:], rows, nothing)


def test_tables(found: tuple[Path, Recommended], tmp_path: Path) -> None:
    result = found[1]
    tables = recommend_tables(COLUMNS, ROWS, result)
    assert tables.write(tmp_path, Extent({}, {}, ())) == "recommend"
    text = (tmp_path / "recommend.md").read_text()
    assert "| mode | WideDeep | CAN |" in text
    assert text.count("| w. FREEDOM | – | – |") == 3
    assert "- w. FREEDOM: the store has no content features" in text
    for backbone in COLUMNS:
        mean = np.mean([roc_auc_score(result.effective, p) for p in result.probability[backbone]["hazard-id"]])
        figure = tables.comparison.table(backbone)["hazard-id"]["auc"]
        assert figure.mean == pytest.approx(mean)
        assert figure.low < figure.difference < figure.high
        video = np.mean([roc_auc_score(result.effective, p) for p in result.probability[backbone]["video"]])
        assert figure.difference == pytest.approx(mean - video)
        assert f"{mean:.4f}" in text
    assert (tmp_path / "recommend.svg").read_text().count("<circle") == 2 * (len(ROWS) - 2)
    content = json.loads((tmp_path / "recommend.json").read_text())
    assert content["absent"]["can"] == {"freedom": "the store has no content features"}
    assert {"mode", "backbone", "metric", "mean", "std", "difference", "low", "high"} <= set(
        (tmp_path / "recommend.csv").read_text().splitlines()[0].split(",")
    )


def test_command(store: Path, tmp_path: Path) -> None:
    from segfeat_cli.segmodel.benchmark import benchmark

    arguments = ["recommend", str(store), "--backbones", "widedeep", "--budget", "small", "-o", str(tmp_path)]
    result = CliRunner().invoke(benchmark, [*arguments, "--modes", "segsum", "--seeds", "1", "--epochs", "1"])
    assert result.exit_code == 0, result.output
    assert "| SegSum |" in result.output
    assert (tmp_path / "recommend.md").exists()
    wrong = CliRunner().invoke(benchmark, [*arguments, "--modes", "tidy"])
    assert isinstance(wrong.exception, ValueError)


def test_small_budget_is_the_issues() -> None:
    assert (RECOMMEND_BUDGETS["small"].trials, RECOMMEND_BUDGETS["small"].seeds) == (2, 2)
