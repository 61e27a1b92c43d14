"""From a flat table of options and model settings to a run's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from segmodel.models import DEFAULT, model_class
from segmodel.models.settings import make_config
from segmodel.runs import RunConfig

_RUN_KEYS = frozenset(f.name for f in fields(RunConfig)) - {"store", "settings", "interactions"}


def read_options(path: str | Path) -> dict[str, Any]:
    """The keys of a YAML or JSON file.

    Raises
    ------
    ValueError
        If it cannot be read or is no flat table.
    """
    import yaml

    try:
        table = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read as YAML or JSON: {error}") from error
    if not isinstance(table, dict):
        raise ValueError(f"{path}: must hold a table of keys and values")
    return {str(k): v for k, v in table.items()}


def run_config(store: str | Path, table: Mapping[str, Any]) -> RunConfig:
    """The configuration behind a table that holds both run options and model settings.

    Raises
    ------
    ValueError
        For a key that is neither (the message lists the valid ones), or a value of the wrong kind.
    """
    name = str(table.get("model", DEFAULT))
    model_keys = {f.name for f in fields(model_class(name).Config)}
    valid = _RUN_KEYS | model_keys | {"interactions"}
    if unknown := [k for k in table if k not in valid]:
        raise ValueError(f"unknown key {', '.join(unknown)} for model {name}; valid are {', '.join(sorted(valid))}")
    # What both know, such as epochs, belongs to the run, which overrides the model.
    options = {k: v for k, v in table.items() if k in _RUN_KEYS}
    logs = table.get("interactions", ())
    return make_config(
        RunConfig,
        {
            **options,
            "model": name,
            "store": str(Path(store).resolve()),
            "settings": {k: v for k, v in table.items() if k in model_keys - _RUN_KEYS},
            "interactions": [str(Path(p).resolve()) for p in ([logs] if isinstance(logs, str) else logs)],
        },
    )
