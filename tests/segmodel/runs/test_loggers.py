"""Training curves in the files of the loggers themselves."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from segmodel.runs.loggers import LOGGERS, logger_class, logging_to

CONFIG = {"model": "hazard", "seed": 3, "settings": {"width": 64}}
RECORDS = [
    {"epoch": 0, "loss": 1.5, "valid_log_likelihood": -1.25, "member": 0, "note": "words are no figures"},
    {"epoch": 1, "loss": 1.25, "valid_log_likelihood": -1.125, "member": 0},
]


def log(name: str, folder: Path) -> None:
    with logging_to([name], folder, CONFIG) as record:
        for line in RECORDS:
            record(line)


def test_tensorboard_reads_back_what_was_recorded(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log("tensorboard", tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(0, 1.5), (1, 1.25)]
    assert [e.value for e in events.Scalars("valid_log_likelihood")] == [-1.25, -1.125]
    assert "note" not in events.Tags()["scalars"]


def test_mlflow_reads_back_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    # Its newest version wants to be asked before it writes plain files.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log("mlflow", tmp_path / "hazard-1")
    client = tracking.MlflowClient()
    experiment = client.get_experiment_by_name("segmodel")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "hazard-1"
    assert run.data.params == {"model": "hazard", "seed": "3", "settings.width": "64"}
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [(0, 1.5), (1, 1.25)]


def test_weights_and_biases_gets_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in: the package itself starts a service of its own."""
    calls: list[Any] = []
    run = types.SimpleNamespace(
        log=lambda values, step: calls.append((step, values["loss"])),
        finish=lambda exit_code: calls.append(exit_code),
    )
    fake = types.ModuleType("wandb")
    fake.init = lambda **given: calls.append((given["name"], given["config"]["settings.width"])) or run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    log("wandb", tmp_path / "hazard-1")
    assert calls == [("hazard-1", 64), (0, 1.5), (1, 1.25), 0]


def test_a_failed_training_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    class Spy:
        def __init__(self, folder: Path, config: dict[str, Any]) -> None: ...

        def record(self, epoch: int, values: dict[str, float]) -> None: ...

        def close(self, well: bool) -> None:
            ended.append(well)

    monkeypatch.setattr("segmodel.runs.loggers.logger_class", lambda name: Spy)
    with pytest.raises(KeyboardInterrupt), logging_to(["spy"], tmp_path, CONFIG):
        raise KeyboardInterrupt
    assert ended == [False]


def test_a_missing_package_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match=r"pip install 'segfeat\[wandb\]'"), logging_to(["wandb"], tmp_path, CONFIG):
        pass


def test_every_name_has_a_class_and_an_extra(root: Path) -> None:
    extras = (root / "pyproject.toml").read_text()
    for name in LOGGERS:
        assert callable(logger_class(name).record)
        assert f"\n{name} = [" in extras
    with pytest.raises(ValueError, match="valid are tensorboard, mlflow, wandb"):
        logger_class("paper")
