"""Which variants an ablation trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmodel.models import make_model
from segmodel.runs.config import run_config
from segmodel.runs.sweep import FULL, ablated_models, ablations


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


def test_models_without_ablations_are_named() -> None:
    with pytest.raises(ValueError, match=r"no ablations for model 'random'; valid are hazard, paper"):
        ablations("random", ("id",))
