"""A store, runs of several models on it, and servers over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from segfeat.interactions import Interactions
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.runs.config import run_config
from segmodel.runs.train import prepare, train
from segmodel.serve.app import create_app
from segmodel.serve.scorer import open_scorer
from segmodel.serve.service import Service

SETTINGS: dict[str, dict[str, Any]] = {
    "user-position": {},
    "item-position": {},
    "gbdt-hazard": {"trees": 5, "members": 1, "min_rows_in_leaf": 2},
    "paper": {"d": 8, "layers": 1, "heads": 2, "epochs": 1},
    "hazard": {"members": 1, "epochs": 1, "folds": 3, "width": 16},
}


@pytest.fixture(scope="session")
def base_log(make_log: Callable[..., Interactions]) -> Interactions:
    """Ten users with 15 views each of 25 videos; some share a time."""
    rng = np.random.default_rng(5)
    length_ms = rng.integers(3_000, 27_000, 25)
    rows = []
    for user in range(10):
        for view in range(15):
            video = int(rng.integers(25))
            time_ms = 1_000_000 + 60_000 * (view - (view % 3 == 2))
            rows.append((f"u{user}", f"v{video}", time_ms, int(rng.integers(1, 30_000)), int(length_ms[video])))
    # A user, video and time stand there once.
    return make_log(*{row[:3]: row for row in rows}.values())


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, base_log: Interactions, make_video: Any, make_spec: Any) -> Path:
    """A folder with ``feats.h5`` and, once asked for, ``runs/``."""
    folder = tmp_path_factory.mktemp("serve")
    length_ms = dict(zip(base_log.video.tolist(), base_log.duration_ms.tolist(), strict=True))
    videos = [
        make_video(str(base_log.video_ids[code]), ms / 1000, {"visual": 8}, seed=code, path=f"{code}.mp4")
        for code, ms in sorted(length_ms.items())
    ]
    header = StoreHeader(5.0, {}, {"visual": make_spec("visual", 8)})
    write_store(folder / "feats.h5", header, videos, interactions=base_log)
    return folder


@pytest.fixture(scope="session")
def run_of(home: Path) -> Callable[[str], Path]:
    """A function that gives a run directory by model name, trained once."""

    def find(model: str) -> Path:
        folder = home / "runs" / model
        if not folder.exists():
            config = run_config(home / "feats.h5", {"model": model, **SETTINGS[model]})
            train(prepare(config), folder, latest=False)
        return folder

    return find


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def start(run_of: Callable[[str], Path], journal: Path) -> Iterator[Callable[..., Service]]:
    """A function that starts a service over a model's run; all are closed in the end."""
    services = []

    def begin(model: str = "user-position") -> Service:
        folder = run_of(model)
        services.append(Service(lambda: open_scorer(folder, journal), journal))
        return services[-1]

    yield begin
    for service in services:
        service.close()


@pytest.fixture
def client(start: Callable[..., Service]) -> Iterator[TestClient]:
    """A client of the application over the quickest model."""
    with TestClient(create_app(start()), raise_server_exceptions=False) as made:
        yield made
