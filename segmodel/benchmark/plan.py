"""BenchmarkPlan: what a benchmark runs on and may spend, and the views behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodel.benchmark.budget import Budget, within
from segmodel.benchmark.systems import System
from segmodel.runs.config import RunConfig, run_config
from segmodel.runs.data import RunData, open_data

CELLS = "cells"


@dataclass(frozen=True)
class BenchmarkPlan:
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

    def identity(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """What tells the data of two plans apart."""
        return {
            "store": summary["store_hash"],
            "log": summary["log_fingerprint"],
            **{k: getattr(self.config, k) for k in ("split", "train_share", "max_segments", "max_duration_s")},
        }


def make_plan(
    store: str | Path,
    budget: Budget,
    folder: str | Path,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> BenchmarkPlan:
    """A plan; ``options`` are run options such as ``interactions``, ``split`` and ``train_share``.

    Raises
    ------
    ValueError
        For unknown options.
    """
    return BenchmarkPlan(run_config(store, {"model": "random", **(options or {})}), budget, Path(folder), device)


def open_plan(config: RunConfig) -> RunData:
    """The views of a plan.

    Raises
    ------
    ValueError
        If there is nothing to train, validate or test on.
    """
    data = open_data(config)
    split = data.split
    for name, rows in (("train", split.train), ("validate", split.valid), ("test", split.test)):
        if not len(rows):
            raise ValueError(f"{config.store}: no view to {name} on; users need at least 5 views")
    return data
