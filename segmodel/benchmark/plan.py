"""Plan: what a benchmark runs on and may spend, and the views behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segfeat.store.reader import FeatureStore
from segmodel.benchmark.budget import Budget, within
from segmodel.benchmark.systems import System
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.runs.config import RunConfig, run_config
from segmodel.runs.data import describe_data

CELLS = "cells"


@dataclass(frozen=True)
class Plan:
    """A benchmark about to run.

    Attributes
    ----------
    config : RunConfig
        Store, log and split; its model plays no part.
    budget : Budget
    folder : path
        Cells are written and found below it.
    device : str
    """

    config: RunConfig
    budget: Budget
    folder: Path
    device: str = "cpu"

    @property
    def cells(self) -> Path:
        """Where outcomes lie."""
        return self.folder / CELLS

    def settings(self, system: System, here: tuple[str, ...], trial: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a system's trial on a store with the content modalities ``here``.

        As JSON would give them back, so that a fingerprint does not depend on who computes it.
        """
        settings = {**system.settings(here), **within(system.model, self.budget), **trial}
        settings["max_segments"] = self.config.max_segments
        return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}

    def identity(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What tells the data of two plans apart."""
        return {
            "store": facts["store_hash"],
            "log": facts["log_fingerprint"],
            **{k: getattr(self.config, k) for k in ("split", "train_share", "max_segments", "max_duration_s")},
        }


def make_plan(
    store: str | Path,
    budget: Budget,
    folder: str | Path,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Plan:
    """A plan; ``options`` are run options such as ``interactions``, ``split`` and ``train_share``.

    Raises
    ------
    ValueError
        For unknown options.
    """
    return Plan(run_config(store, {"model": "random", **(options or {})}), budget, Path(folder), device)


@dataclass(frozen=True, eq=False)
class Opened:
    """The views of a plan.

    Attributes
    ----------
    data : Dataset
    split : Split
    facts : mapping
        What the data are.
    """

    data: Dataset
    split: Split
    facts: Mapping[str, Any]

    @property
    def here(self) -> tuple[str, ...]:
        """Content modalities of the store."""
        return tuple(self.data.store.encoders) if self.data.store is not None else ()


def open_views(config: RunConfig) -> Opened:
    """Views and their split.

    Raises
    ------
    ValueError
        If there is nothing to train, validate or test on.
    """
    store = FeatureStore(config.store)
    log = config.log(store)
    data = config.dataset(store, log=log)
    split = config.make_split(data)
    for name, rows in (("train", split.train), ("validate", split.valid), ("test", split.test)):
        if not len(rows):
            raise ValueError(f"{config.store}: no view to {name} on; users need at least 5 views")
    return Opened(data, split, describe_data(data, split, log))
