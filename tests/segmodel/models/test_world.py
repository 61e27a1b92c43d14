"""Several processes take the training steps of one."""

from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segmodel.data.parts import SplitLog
from segmodel.models.base import FitRun
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.model import HazardModel
from segmodel.models.world import World, joined_world

from .hazard.conftest import Small, make_dataset, make_interactions, small_rows, temporal_split, write_features


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 256])
def test_every_row_of_a_batch_counts_once(size: int, count: int) -> None:
    worlds = [World(rank, size) for rank in range(size)]
    shares = [world.share(count) for world in worlds]
    assert sum(shares) == pytest.approx(1.0)
    counted = [world.rows(count) for world, share in zip(worlds, shares, strict=True) if share]
    np.testing.assert_array_equal(np.sort(np.concatenate(counted)), np.arange(count))
    # Who has none computes one without weight, so that all take part in every step.
    assert all(len(world.rows(count)) for world in worlds)
    for world, share in zip(worlds, shares, strict=True):
        assert share == 0 or share == len(world.rows(count)) / count


def _fit(small: Small, world: World) -> tuple[dict[str, np.ndarray], list[tuple[float, float]]]:
    """Weights, and the loss and score of each epoch; batches of 37 leave rests that the processes share unevenly."""
    records: list[Any] = []
    model = HazardModel(HazardConfig(members=1, batch_views=37, width=16, rank=4, folds=3))
    model.fit_parts(SplitLog.of(small.data, small.split), FitRun(5, epochs=3, report=records.append, world=world))
    weights = {k: v for k, v in model.state()[1].items() if k.startswith("member_0.")}
    return weights, [(r["loss"], r["valid_log_likelihood"]) for r in records]


def _one_of(rank: int, size: int, port: int, small: Small, out: Path) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    with joined_world("cpu") as (world, device):
        assert (world, device) == (World(rank, size), "cpu")
        assert world.told(f"of {rank}") == "of 0"
        weights, records = _fit(small, world)
    np.savez(out / f"{rank}.npz", records=records, **weights)


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_so_many_processes_train_what_one_trains(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every process drops other units; without dropout nothing tells them from one.
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: x)
    log = make_interactions(small_rows())
    store = write_features(tmp_path / "feats.h5", log)
    data = make_dataset(log, store)
    small = Small(log, store, data, temporal_split(data.views))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_one_of, args=(k, size, port, small, tmp_path)) for k in range(size)]
    for process in processes:
        process.start()
    alone, records = _fit(small, World())
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    whole = np.concatenate([alone[k].ravel() for k in sorted(alone)])
    for k in range(size):
        found = np.load(tmp_path / f"{k}.npz")
        assert {*found.files} == {"records", *alone}
        weights = np.concatenate([found[name].ravel() for name in sorted(alone)])
        assert np.linalg.norm(weights - whole) < 1e-6 * np.linalg.norm(whole)
        np.testing.assert_allclose(found["records"], records, rtol=1e-5)
