"""Which systems take part, what each may spend, and what tells two fits apart."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from segmodel.benchmark.budget import BUDGETS, Budget, search_space, trials, within
from segmodel.benchmark.cells import Cell, Outcome, best_trial, read_outcome
from segmodel.benchmark.systems import SYSTEMS, chosen
from segmodel.benchmark.watch_time import WATCH_SYSTEMS
from segmodel.models import MODELS, make_model, model_class

CELL = Cell("sasrec", "sasrec", {"d": 8}, 0, {"log": "abc", "split": "temporal"})


def test_every_model_takes_part() -> None:
    """Each model of the registry stands in the table of skips or in that of watch times."""
    assert {s.model for s in (*SYSTEMS.values(), *WATCH_SYSTEMS.values())} == set(MODELS)


def test_chosen_keeps_the_order_of_the_tables() -> None:
    assert [s.name for s in chosen("sasrec, random,sasrec")] == ["random", "sasrec"]
    assert len(chosen("all")) == len(SYSTEMS)


@pytest.mark.parametrize(
    ("text", "message"), [("svd,sasrec", "unknown system svd; valid are all, random"), (" ", "no sy")]
)
def test_wrong_systems_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chosen(text)


def test_systems_say_what_they_lack() -> None:
    lacking = {name for name, s in SYSTEMS.items() if s.lacks(())}
    papers = {f"paper-{given}{form}" for given in ("content", "all") for form in ("", "-sigmoid")}
    assert lacking == {"slmrec", "bm3", "freedom", "hazard-all", *papers}
    assert not any(s.lacks(("audio",)) for s in SYSTEMS.values())


def test_systems_use_the_modalities_of_the_store() -> None:
    assert SYSTEMS["paper-all"].settings(("visual", "text")) == {"modalities": ("id", "visual", "text")}
    assert SYSTEMS["paper-content"].settings(("audio",)) == {"modalities": ("audio",)}
    assert SYSTEMS["sasrec"].settings(("audio",)) == {}
    assert SYSTEMS["paper-id-sigmoid"].settings(()) == {"modalities": ("id",), "score": "sigmoid"}


def test_each_criterion_has_a_best_trial() -> None:
    cells = [replace(CELL, settings={"d": d}) for d in (1, 2, 3, 4)]
    scores = ({"paper": 0.5, "nll": -1.6}, {"paper": 0.7, "nll": -1.7}, {"paper": np.nan, "nll": -1.5}, {})
    outcomes = {
        c.fingerprint: Outcome(s, 0.0, failure="" if s else "no loss") for c, s in zip(cells, scores, strict=True)
    }
    assert best_trial(cells, outcomes, "paper").settings == {"d": 2}
    assert best_trial(cells, outcomes, "nll").settings == {"d": 3}
    # Nobody has this one: the first that did not fail.
    assert best_trial(cells[::-1], outcomes, "masked").settings == {"d": 3}


def test_settings_may_be_left_out_of_the_search() -> None:
    found = trials("din", BUDGETS["default"], without=("end_slot", "end_after_skip"))
    assert len(found) == BUDGETS["default"].trials
    assert not any({"end_slot", "end_after_skip"} & t.keys() for t in found)


@pytest.mark.parametrize("model", list(MODELS))
def test_every_trial_is_a_valid_configuration(model: str) -> None:
    limits = within(model, BUDGETS["small"])
    for settings in trials(model, BUDGETS["default"]):
        make_model(model, {**limits, **settings})


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_gets_the_same_number_of_trials(model: str) -> None:
    space = search_space(model)
    possible = int(np.prod([len(set(choices)) for choices in space.values()]))
    found = trials(model, BUDGETS["default"])
    assert len(found) == min(BUDGETS["default"].trials, possible)
    assert all(a != b for i, a in enumerate(found) for b in found[:i])
    # A larger budget only adds to a smaller one, so that finished fits stay of use.
    assert trials(model, BUDGETS["small"]) == found[: BUDGETS["small"].trials]


def test_models_with_something_to_tune_have_a_space() -> None:
    tunable = {
        m for m in MODELS if any(f.name in ("learning_rate", "prior_views") for f in fields(model_class(m).Config))
    }
    assert all(search_space(m) for m in tunable)


def test_limits_only_ever_cut() -> None:
    assert within("sasrec", BUDGETS["small"]) == {"epochs": 10, "patience_updates": 80}
    assert within("hazard", Budget(1, 1, 1000, 1000))["epochs"] == make_model("hazard").config.epochs  # type: ignore[attr-defined]
    assert within("random", BUDGETS["small"]) == {}


def test_a_fingerprint_sees_everything() -> None:
    others = [
        replace(CELL, system="other"),
        replace(CELL, model="caser"),
        replace(CELL, settings={"d": 16}),
        replace(CELL, seed=1),
        replace(CELL, data={"log": "abd", "split": "temporal"}),
    ]
    assert len({c.fingerprint for c in (CELL, *others)}) == len(others) + 1
    assert replace(CELL, data={"split": "temporal", "log": "abc"}).fingerprint == CELL.fingerprint


def test_outcomes_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"nll": np.array([1.0, np.nan, 3.0]), "completed": np.array([True, False, True])}
    assert read_outcome(CELL, tmp_path) is None
    Outcome({"nll": -0.25}, 1.5, arrays).write(CELL, tmp_path)
    found = read_outcome(CELL, tmp_path)
    assert found is not None
    assert (found.valid, found.seconds, found.failure) == ({"nll": -0.25}, 1.5, "")
    assert set(found.arrays) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)
        assert found.arrays[name].dtype == values.dtype
    failed = replace(CELL, seed=5)
    Outcome({}, 0.0, failure="no loss").write(failed, tmp_path)
    found = read_outcome(failed, tmp_path)
    assert found is not None
    assert (found.valid, found.arrays, found.failure) == ({}, {}, "no loss")
    assert not list(tmp_path.glob("*.writing"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"words"])
def test_a_broken_cell_is_named(tmp_path: Path, content: bytes) -> None:
    CELL.path(tmp_path).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{CELL.fingerprint}.npz: no cell"):
        read_outcome(CELL, tmp_path)
