"""What the model remembers of a past ends with that past."""

from __future__ import annotations

import gc
from pathlib import Path

from segmodel.models.base import FitRun
from segmodel.models.hazard.model import HazardModel
from segmodel.runs.config import run_config
from segmodel.runs.train import prepare


def test_a_past_that_nobody_keeps_is_forgotten(store_path: Path) -> None:
    job = prepare(run_config(store_path, {"model": "hazard", "members": 1}))
    assert isinstance(job.model, HazardModel)
    job.model.fit(job.data.dataset, job.data.split, FitRun(epochs=1))
    job.model.predict(job.data.dataset)
    gc.collect()
    assert len(job.model.scorer._remembered) <= 1, "only the dataset's own past may be left"
