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
from segmodel.evaluation.comparison import Comparison
from segmodel.evaluation.evaluation import Evaluation
from segmodel.hub.places import Kind, Place
from segmodel.hub.run_card import run_card
from segmodel.hub.store_card import store_card
from segmodel.runs.config import read_config
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
        c = run.config
        here = replace(c, store=Path(c.store).name, interactions=tuple(Path(p).name for p in c.interactions))
        write_json(staged / "config.json", asdict(here))
        (staged / CARD).write_text(run_card(run, evaluations, comparison, place.address))
        return place.put(staged, "model", private)


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
        Where a pulled run is to find its store, and a log that is not the store's own.

    Raises
    ------
    ValueError
        If ``out`` exists, or what came is no finished run, or no store.
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
            config = replace(config, interactions=tuple(str(Path(p).resolve()) for p in interactions))
        write_json(folder / "config.json", json.loads(json.dumps(asdict(config))))
        # Opened whole once, so that what was cut off on the way is found out here.
        _ = load_run(folder).model
    return out
