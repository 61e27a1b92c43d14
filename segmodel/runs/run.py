"""Runs: a folder with everything about one trained model.

==================  ====================================================================================
``config.json``     model, its settings, split, seed, where store and log are
``data.json``       fingerprints of store and log, counts of views per part, rows dropped by reason
``versions.json``   Python and package versions
``metrics.jsonl``   one line per epoch
``model/``          ``facts.json`` and ``weights.safetensors``; there only when training ended well; and for some
                    models ``worked-out.safetensors``, which makes first questions about users quick
==================  ====================================================================================
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from segfeat.store.reader import FeatureStore
from segfeat.whole import whole_folder, write_json
from segmodel.models import make_model
from segmodel.models.base import Arrays, SegmentModel
from segmodel.runs.config import RunConfig, read_config
from segmodel.state import read_arrays, read_state, write_arrays, write_state

RUNS = Path("runs")
LATEST = RUNS / "latest"

WORKED_OUT = "worked-out.safetensors"
"""Beside the model: what it worked out of the log's views, which tells what users have watched and is not passed on."""

_PACKAGES = ("segfeat", "torch", "numpy", "scipy", "scikit-learn", "h5py", "safetensors")


@dataclass(frozen=True)
class Run:
    """A finished run, opened."""

    folder: Path
    config: RunConfig
    data: Mapping[str, Any]

    @cached_property
    def name(self) -> str:
        """The folder's own name, not that of a link to it."""
        return self.folder.resolve().name

    @cached_property
    def model(self) -> SegmentModel:
        """The trained model."""
        model = make_model(self.config.model, self.config.settings)
        model.restore(*read_state(self.folder / "model"))
        return model

    def recall(self) -> None:
        """Let the model take over what was worked out of its log's views; runs of before have nothing of it."""
        path = self.folder / "model" / WORKED_OUT
        if path.exists():
            self.model.recall(read_arrays(path))

    def open_store(self, path: str | Path | None = None) -> FeatureStore:
        """The store the run recorded, or another one.

        Raises
        ------
        ValueError
            If it is missing, or its segment length or encoders differ from what the run was trained on.
        """
        try:
            store = FeatureStore(path or self.config.store)
        except ValueError as error:
            raise ValueError(f"{error} (run {self.name}; name another place with --store)") from error
        lines = []
        if store.segment_s != self.data["segment_s"]:
            lines.append(f"segments of {store.segment_s:g} s against {self.data['segment_s']:g} s")
        for modality, spec in self.data["encoders"].items():
            here = store.encoders.get(modality)
            if here is not None and asdict(here) != spec:
                lines.append(f"{modality} encoder {here.name!r} against {spec['name']!r}")
        if lines:
            raise ValueError(f"{store.path} does not fit run {self.name}: {'; '.join(lines)}")
        return store

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of ``metrics.jsonl``."""
        return read_records(self.folder / "metrics.jsonl")


def load_run(folder: str | Path = LATEST) -> Run:
    """Open a finished run.

    Raises
    ------
    ValueError
        If the folder is no run, or its training has not ended.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        known = sorted(p.parent.name for p in folder.parent.glob("*/config.json")) if folder.parent.is_dir() else []
        there = f"; runs there: {', '.join(known)}" if known else "; train one with `segmodel train feats.h5`"
        raise ValueError(f"{folder}: no run{there}")
    if not (folder / "model" / "facts.json").is_file():
        raise ValueError(f"{folder}: its training has not ended; go on with `segmodel train --resume {folder}`")
    return Run(folder, read_config(folder), json.loads((folder / "data.json").read_text()))


def write_facts(folder: Path, config: RunConfig, data: Mapping[str, Any]) -> None:
    """Write what a run is, what it was made from and with which versions; the model comes when training has ended."""
    write_json(folder / "config.json", asdict(config))
    write_json(folder / "data.json", data)
    write_json(folder / "versions.json", versions())


def save_model(model: SegmentModel, folder: Path, worked_out: Arrays) -> None:
    """Write ``model/`` with what was worked out of the log's views; the folder appears whole or not at all."""
    with whole_folder(folder / "model") as temporary:
        write_state(temporary, *model.state())
        if worked_out:
            write_arrays(temporary / WORKED_OUT, worked_out)


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``.jsonl`` file; none where it does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results."""
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in _PACKAGES}}


def point_latest(folder: Path) -> None:
    """Let ``runs/latest`` point at ``folder``, in one step."""
    LATEST.parent.mkdir(exist_ok=True)
    temporary = LATEST.with_name(f"latest.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(folder.resolve(), LATEST.parent.resolve()), target_is_directory=True)
    os.replace(temporary, LATEST)
