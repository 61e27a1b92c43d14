"""Pushing and pulling runs and stores."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from segfeat.store.reader import FeatureStore
from segfeat.whole import whole_file, whole_folder, write_json
from segmodel.data.splits import LEAVE_OUT, parse_leave_out
from segmodel.evaluation.comparison import Comparison
from segmodel.evaluation.evaluation import Evaluation
from segmodel.hub.places import Kind, Place
from segmodel.hub.run_card import run_card
from segmodel.hub.store_card import store_card
from segmodel.runs.config import RunConfig, read_config
from segmodel.runs.run import Run, load_run

RUN_FILES = (
    "config.json",
    "data.json",
    "versions.json",
    "metrics.jsonl",
    "model/facts.json",
    "model/weights.safetensors",
)
"""What is pushed of a run; nothing else that may lie in its folder."""

STORE_FILE = "feats.h5"
CARD = "README.md"


def push_run(
    run: Run, place: Place, evaluations: Mapping[str, Evaluation], comparison: Comparison, private: bool = True
) -> str:
    """Push a run with its model card; the place in words.

    Of the paths of store and log only the names go along: the folders of this machine are nobody's business.

    Parameters
    ----------
    run : Run
    place : Place
    evaluations, comparison
        As :func:`segmodel.hub.run_card.run_card` has them.
    private : bool
        Of a repository that does not exist yet.
    """
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        (staged / "model").mkdir()
        for file in RUN_FILES:
            # Models that learn in one step have no epochs to record.
            if (run.folder / file).exists():
                shutil.copyfile(run.folder / file, staged / file)
        write_json(staged / "config.json", asdict(_without_folders(run.config)))
        (staged / CARD).write_text(run_card(run, evaluations, comparison, place.address))
        return place.put(staged, "model", private)


def _without_folders(config: RunConfig) -> RunConfig:
    """Of all files that a run has read, the names alone."""
    split, named = config.split, parse_leave_out(config.split)
    if named is not None:
        split = f"{LEAVE_OUT} {Path(named[0]).name}={named[1]}"
    interactions, updates = (tuple(Path(p).name for p in paths) for paths in (config.interactions, config.updates))
    return replace(config, store=Path(config.store).name, interactions=interactions, updates=updates, split=split)


def push_store(store: FeatureStore, place: Place, private: bool = True) -> str:
    """Push a store with its data card; the place in words. The folder it was made in is left out."""
    import h5py

    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        shutil.copyfile(store.path, staged / STORE_FILE)
        with h5py.File(staged / STORE_FILE, "r+") as file:
            file.attrs["root"] = ""
        (staged / CARD).write_text(store_card(store, place.address))
        return place.put(staged, "dataset", private)


def pull(
    place: Place,
    kind: Kind,
    out: str | Path,
    store: str | Path | None = None,
    interactions: Sequence[str | Path] = (),
) -> Path:
    """Fetch a run into the folder ``out``, or a store into the file ``out``; nothing is left where that fails.

    Parameters
    ----------
    place : Place
    kind : {"model", "dataset"}
        A run, or a store.
    out : path
        Must not exist.
    store, interactions : paths
        Where a pulled run is to find its store, and a log that is not the store's own; of a run that was updated, all
        files that it has read, in order.

    Raises
    ------
    ValueError
        If ``out`` exists, what came is no finished run, or no store, or an updated run has read other files.
    """
    out = Path(out)
    if out.exists():
        raise ValueError(f"{out} exists; choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == "dataset":
        with tempfile.TemporaryDirectory(dir=out.parent) as name, whole_file(out) as target:
            place.get(Path(name), kind)
            FeatureStore(Path(name) / STORE_FILE).close()
            (Path(name) / STORE_FILE).rename(target)
        return out
    with whole_folder(out) as folder:
        place.get(folder, kind)
        config = read_config(folder)
        if store is not None:
            config = replace(config, store=str(Path(store).resolve()))
        if interactions:
            config = _reading(config, [str(Path(p).resolve()) for p in interactions])
        write_json(folder / "config.json", json.loads(json.dumps(asdict(config))))
        # Opened whole once, so that what was cut off on the way is found out here.
        _ = load_run(folder).model
    return out


def _reading(config: RunConfig, logs: Sequence[str]) -> RunConfig:
    """A configuration whose log lies in these files."""
    if not config.updates:
        return replace(config, interactions=tuple(logs))
    before, read = len(config.interactions), (*config.interactions, *config.updates)
    if len(logs) != len(read):
        raise ValueError(f"the run has read {', '.join(read)}; give as many files with --interactions, in this order")
    return replace(config, interactions=tuple(logs[:before]), updates=tuple(logs[before:]))
