"""The skip benchmark on a small log: what is fitted, what is kept, what the tables say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from segmodel.benchmark import skip
from segmodel.benchmark.budget import Budget
from segmodel.benchmark.cells import Cell, Outcome
from segmodel.benchmark.extent import Extent
from segmodel.benchmark.plan import make_plan
from segmodel.benchmark.skip import SkipBench, run_skip
from segmodel.benchmark.skip_table import skip_tables
from segmodel.benchmark.systems import chosen
from segmodel.models.positions import UserPosition
from segmodel.runs.data import RunData

TINY = Budget(trials=2, seeds=2, epochs=1, patience_updates=1)

NAMES = "random,user-position,duration-position,widedeep,freedom"


@pytest.fixture(scope="module")
def found(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, skip.Found]:
    folder = tmp_path_factory.mktemp("done")
    return folder, run_skip(make_plan(store, TINY, folder), chosen(NAMES))


@pytest.fixture
def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the systems that are really fitted."""
    fitted: list[str] = []
    before = SkipBench.fit

    def fit(self: SkipBench, run_data: RunData, cell: Cell) -> Outcome:
        fitted.append(cell.system)
        return before(self, run_data, cell)

    monkeypatch.setattr(SkipBench, "fit", fit)
    return fitted


def test_what_is_finished_is_not_done_again(store: Path, found: tuple[Path, skip.Found], count_fits: list[str]) -> None:
    folder, before = found
    lines: list[str] = []
    again = run_skip(make_plan(store, TINY, folder), chosen(NAMES), progress=lines.append)
    assert count_fits == []
    assert lines[0] == "7 of 7 fits are there already"
    assert again.settings == before.settings
    assert set(before.evaluations) == {"paper", "masked", "nll"}
    for criterion, by_system in before.evaluations.items():
        for name, evaluations in by_system.items():
            for one, other in zip(evaluations, again.evaluations[criterion][name], strict=True):
                np.testing.assert_array_equal(one.metrics.nll, other.metrics.nll)


def test_only_what_is_missing_is_done(store: Path, found: tuple[Path, skip.Found], count_fits: list[str]) -> None:
    folder, _ = found
    next((folder / "cells").glob("widedeep-seed-1-*.npz")).unlink()
    found_again = run_skip(make_plan(store, TINY, folder), chosen(NAMES))
    assert count_fits == ["widedeep"]
    # One more seed is one more fit for each of four systems and each of the settings that some criterion has chosen.
    chosen_settings = {
        (name, json.dumps(settings)) for by in found_again.settings.values() for name, settings in by.items()
    }
    count_fits.clear()
    run_skip(make_plan(store, replace(TINY, seeds=3), folder), chosen(NAMES))
    assert sorted(count_fits) == sorted(name for name, _ in chosen_settings)
    assert set(count_fits) == {"duration-position", "random", "user-position", "widedeep"}


def test_other_data_are_other_cells(store: Path, found: tuple[Path, skip.Found], count_fits: list[str]) -> None:
    folder, _ = found
    run_skip(make_plan(store, TINY, folder, {"train_share": 0.7}), chosen("random"))
    assert count_fits == ["random"] * 2


def test_validation_chooses_among_the_trials(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second choice of the prior is made the best by spoiling the first.
    honest = UserPosition.predict

    def predict(self: UserPosition, data: object) -> object:
        found = honest(self, data)  # type: ignore[arg-type]
        return replace(found, leave_score=-found.leave_score) if self.config.prior_views == 1.0 else found

    monkeypatch.setattr(UserPosition, "predict", predict)
    result = run_skip(make_plan(store, TINY, tmp_path), chosen("user-position"))
    assert result.settings["paper"]["user-position"]["prior_views"] != 1.0


def test_worker_processes_find_the_same(store: Path, found: tuple[Path, skip.Found], tmp_path: Path) -> None:
    result = run_skip(make_plan(store, TINY, tmp_path), chosen("user-position,duration-position"), jobs=2)
    for name in ("user-position", "duration-position"):
        evaluations = (r.evaluations["paper"][name] for r in (result, found[1]))
        for one, other in zip(*evaluations, strict=True):
            np.testing.assert_allclose(one.metrics.nll, other.metrics.nll, rtol=1e-5)


def test_a_system_that_fails_stands_with_its_reason(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(self: object, data: object, split: object, run: object) -> None:
        raise ValueError("the training loss is nan")

    monkeypatch.setattr(UserPosition, "fit", fit)
    systems = chosen("user-position,duration-position")
    result = run_skip(make_plan(store, TINY, tmp_path), systems)
    assert result.absent == {"user-position": "the training loss is nan"}
    assert "the training loss is nan" in skip_tables(systems, result).markdown()
    with pytest.raises(ValueError, match="no system could be fitted"):
        skip_tables(systems[:1], run_skip(make_plan(store, TINY, tmp_path), systems[:1]))


def test_nothing_to_test_on_is_an_error(tmp_path: Path, make_log: Callable[..., Interactions]) -> None:
    log = make_log(("a", "x", 0, 1_000, 9_000))
    path = tmp_path / "feats.h5"
    write_store(path, StoreHeader(5.0, {}, {}), [VideoFeatures("x", 9.0, segment_spans(9.0), {}, {})], interactions=log)
    with pytest.raises(ValueError, match="no view to validate on"):
        run_skip(make_plan(path, TINY, tmp_path), chosen("random"))


def test_tables(found: tuple[Path, skip.Found], tmp_path: Path) -> None:
    systems, result = chosen(NAMES), found[1]
    tables = skip_tables(systems, result)
    assert tables.write(tmp_path, Extent({}, {}, ())) == "skip"
    text = (tmp_path / "skip.md").read_text()
    assert text.count("**Table 2, all views**") == 2
    assert "| MMRec | freedom | – | – | – | – | – | – | – | the store has no content features |" in text
    assert "Fewer than 50 users" in text
    for protocol in ("paper", "masked"):
        mean = {
            n: np.nanmean([e.metrics.values(f"{protocol}_ndcg@5") for e in s])
            for n, s in result.evaluations[protocol].items()
        }
        assert tables.comparisons[protocol].reference == max(mean, key=lambda n: mean[n])
        assert (tmp_path / f"skip-{protocol}.svg").read_text().startswith("<svg")
        shown = f"{mean['widedeep']:.4f}"
        assert shown in next(line for line in text.splitlines() if "widedeep" in line and shown in line)
    content = json.loads((tmp_path / "skip.json").read_text())
    assert content["absent"] == {"freedom": "the store has no content features"}
    header = (tmp_path / "skip.csv").read_text().splitlines()[0]
    assert {"model", "group", "metric", "mean", "std", "criterion", "p"} <= set(header.split(","))


def test_command(store: Path, tmp_path: Path) -> None:
    from segfeat_cli.segmodel.benchmark import benchmark

    arguments = ["skip", str(store), "--systems", "random,duration-position", "--budget", "small", "-o", str(tmp_path)]
    result = CliRunner().invoke(benchmark, [*arguments, "--protocol", "masked"])
    assert result.exit_code == 0, result.output
    assert "Masked protocol" in result.output
    assert "The paper's protocol" not in result.output
    assert (tmp_path / "skip.md").exists()
    wrong = CliRunner().invoke(benchmark, [*arguments, "--protocol", "tidy"])
    assert wrong.exit_code == 2
    assert "valid are paper, masked" in wrong.output
