"""Settings: words become values, and what cannot be is said with the key and the valid ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from segmodel.models import MODELS, make_model, model_class
from segmodel.models.settings import make_config, stored_settings


@dataclass(frozen=True)
class Config:
    count: int = 3
    rate: float = 0.5
    flag: bool = True
    word: str = "x"
    names: tuple[str, ...] = ("a",)
    limit: int | None = 7


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, Config()),
        ({"count": "12", "rate": "1e-3", "flag": "false"}, Config(12, 0.001, False)),
        ({"count": "1e3", "word": "none"}, Config(count=1000, word="none")),
        ({"names": "b,c", "limit": "none"}, Config(names=("b", "c"), limit=None)),
        ({"names": ["b"], "limit": None, "flag": 0}, Config(names=("b",), limit=None, flag=False)),
        ({"names": "", "limit": "2", "flag": "True"}, Config(names=(), limit=2)),
        ({"rate": 1}, Config(rate=1.0)),
    ],
)
def test_words_become_values(settings: dict[str, Any], wanted: Config) -> None:
    found = make_config(Config, settings)
    assert found == wanted
    assert [type(v) for v in vars(found).values()] == [type(v) for v in vars(wanted).values()]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", "2.5"),
        ("count", "many"),
        ("count", "inf"),
        ("count", "nan"),
        ("count", None),
        ("flag", "maybe"),
        ("rate", "fast"),
        ("limit", "x"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"setting {key}: {value!r} is no (int|float|bool)"):
        make_config(Config, {key: value})


def test_unknown_keys_list_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown setting colour, size; valid are count, rate, flag"):
        make_config(Config, {"colour": 1, "count": 2, "size": 3})


@pytest.mark.parametrize("name", [n for n in MODELS if "position" in n or n == "random"])
def test_the_settings_of_a_model_make_it_again(name: str) -> None:
    model = make_model(name, {"max_segments": "12"})
    assert type(model) is model_class(name)
    assert make_model(name, model.settings()).config == model.config
    assert model.settings()["max_segments"] == 12


def test_unknown_models_list_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'magic'; valid are .*random"):
        model_class("magic")


def test_what_a_stored_table_does_not_know_is_what_held_before() -> None:
    config = model_class("paper").Config
    stored = {"d": 32, "score": "logit", "patience": 10}
    found = stored_settings(config, stored)
    # A setting that has been given up is dropped, one that is there is kept, one that came later is as it was.
    assert found == {"d": 32, "score": "logit", "end_slot": "shared"}
    assert stored_settings(config, {})["score"] == "sigmoid"
    assert stored_settings(model_class("random").Config, {}) == {}
    # Whatever this release stores comes back as it is.
    for name in MODELS:
        settings = make_model(name).settings()
        assert stored_settings(model_class(name).Config, settings) == settings


@pytest.mark.parametrize("name", list(MODELS))
def test_what_held_before_is_a_valid_configuration(name: str) -> None:
    make_model(name, stored_settings(model_class(name).Config, {}))
