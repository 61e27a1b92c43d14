"""Which variants an ablation trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.interactions import Categories
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.models import make_model
from segmodel.models.hazard.config import HazardConfig
from segmodel.runs.config import run_config
from segmodel.runs.sweep import FULL, ablated_models, ablations, what_there_is


@pytest.mark.parametrize("model", ablated_models())
def test_every_ablation_is_a_valid_configuration_that_differs_from_the_full_model(model: str, tmp_path: Path) -> None:
    found = {
        name: run_config(tmp_path / "s.h5", options)
        for name, options in ablations(model, ("id", "visual", "text")).items()
    }
    assert next(iter(found)) == FULL
    assert {"id only", "visual only", "text only"} <= set(found)
    # What the options leave open is the default, so that an ablation to a default value would show as equal.
    settings = [make_model(model, config.settings).config for config in found.values()]
    assert all(a != b for i, a in enumerate(settings) for b in settings[:i])


def test_a_single_modality_is_not_ablated_again() -> None:
    assert not [name for name in ablations("paper", ("id",)) if "only" in name]


def test_parts_that_can_do_nothing_are_not_trained_without(
    tmp_path: Path, make_video: Any, make_spec: Any, make_log: Any
) -> None:
    log = make_log(("u", "v", 1, 500, 9_000))
    plain, rich = tmp_path / "plain.h5", tmp_path / "rich.h5"
    write_store(plain, StoreHeader(5.0, {}, {}), [], interactions=log)
    categories = Categories(np.zeros(1, np.int32), np.array(["feed"], dtype=object))
    write_store(
        rich,
        StoreHeader(5.0, {}, {"visual": make_spec("visual", 4)}),
        [make_video("v", 9.0, {"visual": 4}, path="v.mp4")],
        interactions=replace(log, context={"tab": categories}),
    )
    found = {}
    for path in (plain, rich):
        with FeatureStore(path) as store:
            there = what_there_is(store, tuple(store.interactions.context) if store.interactions else ())
            found[path.stem] = {*ablations("hazard", ("id", *store.encoders), there)}
    everything = {*ablations("hazard", ("id", "visual"))}
    assert everything - found["rich"] == {"no attributes", "no user attributes"}
    assert found["rich"] - found["plain"] >= {"no context", "no modality dropout", "one Newton step to a taste"}
    assert found["plain"] == {
        FULL, "no attention", "no user statistics", "no user filter", "no simulated deployment", "no hidden videos",
        "one network",
    }  # fmt: skip
    assert {*HazardConfig.ablation_needs} < {*HazardConfig.ablations}


def test_models_without_ablations_are_named() -> None:
    with pytest.raises(ValueError, match=r"no ablations for model 'random'; valid are hazard, paper"):
        ablations("random", ("id",))
