"""RunConfig: what a run is, and how files and options become one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from segfeat.interactions import MAX_DURATION_S
from segfeat.log_check import parse_units
from segmodel.data.splits import LEAVE_OUT, SPLITS, VALID_SHARE, parse_leave_out
from segmodel.data.views import MAX_SEGMENTS
from segmodel.models import DEFAULT, model_class
from segmodel.models.settings import check_ranges, make_config, stored_settings


@dataclass(frozen=True)
class RunConfig:
    """What a run is, apart from the contents of its store and log."""

    store: str
    """Absolute path of the feature store."""
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All settings of the model, defaults included."""
    interactions: tuple[str, ...] = ()
    """Absolute paths of the log; empty: the store's own."""
    unit: tuple[str, ...] = ()
    """In what that log counts time; see :func:`segfeat.log_check.parse_units`."""
    context: tuple[str, ...] = ()
    """Columns of that log to keep as categories of the views; the store's own log says so itself."""
    updates: tuple[str, ...] = ()
    """Absolute paths of later logs with the same units, each of which an update has joined to the log."""
    split: str = "temporal"
    """``temporal``, ``random``, or ``leave-out NAME=VALUE`` (see :func:`segmodel.runs.kinds.view_values`)."""
    train_share: float = 0.8
    """Of each user's views, unless the split is random; the next tenth validates."""
    seed: int = 0
    epochs: int | None = None
    max_segments: int = MAX_SEGMENTS
    max_duration_s: float = MAX_DURATION_S

    def __post_init__(self) -> None:
        if parse_leave_out(self.split) is None and self.split not in SPLITS:
            raise ValueError(f"unknown split {self.split!r}; valid are {', '.join(SPLITS)}, {LEAVE_OUT} NAME=VALUE")
        parse_units(self.unit)
        if not 0 < self.train_share < 1 - VALID_SHARE:
            raise ValueError(f"train_share {self.train_share:g} must lie between 0 and {1 - VALID_SHARE:g}")
        if not self.max_duration_s > 0:
            raise ValueError(f"max_duration_s must be a positive number of seconds, not {self.max_duration_s:g}")
        check_ranges(self)


_RUN_KEYS = frozenset(f.name for f in fields(RunConfig)) - {"store", "settings", "interactions", "updates"}


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
        For a key that is neither (the message lists the valid ones), a value of the wrong kind, or words about the
        columns of a log's file where none is named.
    """
    name = str(table.get("model", DEFAULT))
    model_keys = {f.name for f in fields(model_class(name).Config)}
    valid = _RUN_KEYS | model_keys | {"interactions"}
    if unknown := [k for k in table if k not in valid]:
        raise ValueError(f"unknown key {', '.join(unknown)} for model {name}; valid are {', '.join(sorted(valid))}")
    # What both know, such as epochs, belongs to the run, which overrides the model.
    options = {k: v for k, v in table.items() if k in _RUN_KEYS}
    if "split" in options:
        options["split"] = _absolute(str(options["split"]))
    logs = table.get("interactions", ())
    config: RunConfig = make_config(
        RunConfig,
        {
            **options,
            "model": name,
            "store": str(Path(store).resolve()),
            "settings": {k: v for k, v in table.items() if k in model_keys - _RUN_KEYS},
            "interactions": [str(Path(p).resolve()) for p in ([logs] if isinstance(logs, str) else logs)],
        },
    )
    if not config.interactions and (alone := [k for k in ("context", "unit") if getattr(config, k)]):
        raise ValueError(
            f"{' and '.join(alone)} without interactions: a store's own log is in milliseconds and has the context "
            "that was kept when the store was made; name the log's file"
        )
    return config


def _absolute(split: str) -> str:
    """A split that leaves out what a file says, with the file's absolute path; another one as it is."""
    named = parse_leave_out(split)
    if named is None:
        return split
    path, colon, column = named[0].rpartition(":")
    name = f"{Path(path).resolve()}:{column}" if colon and Path(path).exists() else named[0]
    return f"{LEAVE_OUT} {name}={named[1]}"


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run, finished or not."""
    try:
        table = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'}: cannot be read: {error}") from error
    settings = stored_settings(model_class(table["model"]).Config, table["settings"])
    lists = {key: tuple(table.get(key, ())) for key in ("interactions", "unit", "context", "updates")}
    return RunConfig(**{**table, "settings": settings, **lists})
