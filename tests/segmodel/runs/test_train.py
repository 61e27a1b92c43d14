"""Runs: what is written, what is refused, and that an interrupted training ends like an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from segfeat.interactions import Interactions
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.runs.config import read_options, run_config
from segmodel.runs.run import load_run
from segmodel.runs.train import prepare, resume, train

SMALL = {"model": "paper", "d": 8, "layers": 1, "heads": 2, "epochs": 3, "batch_views": 64}


def _weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model" / "weights.safetensors")


def test_a_run_records_what_made_it(store_path: Path, workplace: Path) -> None:
    run = train(prepare(run_config(store_path, SMALL)))
    assert run.folder == Path("runs/paper-1")
    assert load_run().name == "paper-1"
    config = json.loads((run.folder / "config.json").read_text())
    assert config["settings"]["d"] == 8
    assert config["settings"]["dropout"] == 0.1, "defaults are recorded too"
    assert {"store_hash", "log_fingerprint", "views"} <= set(json.loads((run.folder / "data.json").read_text()))
    assert "torch" in json.loads((run.folder / "versions.json").read_text())
    assert [r["epoch"] for r in run.history] == [0, 1, 2]


def test_the_same_seed_gives_the_same_weights(store_path: Path, workplace: Path) -> None:
    runs = [train(prepare(run_config(store_path, {**SMALL, "seed": seed}))) for seed in (0, 0, 1)]
    first, again, other = (_weights(r.folder) for r in runs)
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert any(not np.array_equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("content", [True, False])
def test_a_resumed_training_ends_with_the_same_weights(
    content: bool, store_path: Path, workplace: Path, log: Interactions
) -> None:
    if not content:
        # The default modalities are then more than the store has, and the run records them all the same.
        store_path = workplace / "bare.h5"
        write_store(store_path, StoreHeader(5.0, {}, {}), [], interactions=log)
    whole = train(prepare(run_config(store_path, SMALL)), "runs/whole")

    class Stop(Exception):
        pass

    def stop_after_first(record: Mapping[str, Any]) -> None:
        raise Stop

    with pytest.raises(Stop):
        train(prepare(run_config(store_path, SMALL)), "runs/cut", report=stop_after_first)
    assert load_run().name == "whole", "latest moves only when a run ends well"
    with pytest.raises(ValueError, match="has not ended; go on with"):
        load_run("runs/cut")
    cut = resume("runs/cut")
    assert [r["epoch"] for r in cut.history] == [0, 1, 2]
    mine, theirs = _weights(cut.folder), _weights(whole.folder)
    assert all(np.array_equal(mine[k], theirs[k]) for k in theirs)
    assert load_run().name == "cut"


def test_resume_refuses_what_it_cannot_continue(store_path: Path, workplace: Path) -> None:
    run = train(prepare(run_config(store_path, SMALL)))
    with pytest.raises(ValueError, match="has ended"):
        resume(run.folder)
    with pytest.raises(ValueError, match="no run to resume"):
        resume("runs/nothing")


def test_an_existing_folder_is_refused(store_path: Path, workplace: Path) -> None:
    Path("mine").mkdir()
    with pytest.raises(ValueError, match=r"mine exists"):
        train(prepare(run_config(store_path, SMALL)), "mine")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"model": "papper"}, "unknown model 'papper'; valid are"),
        ({"depth": 3}, "unknown key depth for model"),
        ({"model": "paper", "d": "wide"}, "setting d: 'wide' is no int"),
        ({"model": "paper", "modalities": "id,smell"}, "valid are id, visual, audio, text"),
        ({"split": "chronological"}, "valid are temporal, random"),
    ],
)
def test_bad_settings_are_named(store_path: Path, table: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepare(run_config(store_path, table))


def test_nothing_to_learn_from(store_path: Path, log: Interactions) -> None:
    with pytest.raises(ValueError, match=r"nothing to learn from.*duration of 4 s or more"):
        prepare(run_config(store_path, {**SMALL, "max_segments": 1, "max_duration_s": 4.0}))


def test_option_files(tmp_path: Path, store_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("model: paper\nd: 16\nlearning_rate: 1e-3\nmodalities: [id, visual]\n")
    job = prepare(run_config(store_path, read_options(tmp_path / "o.yaml")))
    assert job.config.settings["d"] == 16
    assert job.config.settings["learning_rate"] == 1e-3
    assert job.config.settings["modalities"] == ["id", "visual"]
    (tmp_path / "bad.yaml").write_text("- a\n- b\n")
    with pytest.raises(ValueError, match=r"bad\.yaml: must hold a table"):
        read_options(tmp_path / "bad.yaml")
