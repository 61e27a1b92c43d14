"""A SegRec that belongs to a run, in its folder: ``recommender-<backbone>/{facts.json, weights.safetensors}``.

It is fitted when it is first asked for, on the run's training views, with the run's model as the frozen interest. Its
facts name the run by a fingerprint, so that one copied from elsewhere, or left behind by a training that was repeated,
is fitted again instead of being taken for the run's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segfeat.whole import whole_folder
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.recommend.cross_fitting import known_interest
from segmodel.recommend.effective import EffectiveViews
from segmodel.recommend.segrec import SegRec
from segmodel.runs.predictor import Predictor
from segmodel.runs.run import Run
from segmodel.state import read_state, write_state

FOLDS = 2
"""Of the cross-fitting of interest: two fits of half the size."""

_SETTINGS = {
    "d": 32,
    "dropout": 0.1,
    "learning_rate": 1e-3,
    "batch_views": 256,
    "epochs": 30,
    "patience_updates": 100,
}
"""The middle of what the benchmark searches."""


@dataclass(frozen=True, eq=False)
class SavedSegRec:
    """A run's SegRec.

    Attributes
    ----------
    model : SegRec
    effective : EffectiveViews
        What it learned to predict.
    """

    model: SegRec
    effective: EffectiveViews


def run_effective(predictor: Predictor) -> EffectiveViews:
    """What makes a view effective by the run's training views.

    Raises
    ------
    ValueError
        If there is no log, or not the one the run was trained on.
    """
    run, data = predictor.run, predictor.data
    if data.fingerprint != run.data["log_fingerprint"]:
        raise ValueError(
            f"{data.store.path}: its watch log is not the one that run {run.name} was trained on; name that store with "
            "--store, and further views with --history"
        )
    return EffectiveViews.of(data.train_views)


def saved_segrec(
    predictor: Predictor, backbone: str, device: str = "cpu", say: Callable[[str], None] | None = None
) -> SavedSegRec:
    """The run's SegRec with a backbone, read from its folder or fitted and written there.

    Parameters
    ----------
    predictor : Predictor
    backbone : str
    device : str
        Where it is fitted.
    say : callable, optional
        Told before a fit, which takes as long as a training.

    Raises
    ------
    ValueError
        As :func:`run_effective`, or for a backbone that is none.
    """
    run = predictor.run
    folder = run.folder / f"recommender-{backbone}"
    model = SegRec(backbone, {**_SETTINGS, "max_segments": run.config.max_segments})
    fingerprint = _fingerprint(run, model)
    saved = _read(folder, model, fingerprint)
    if saved is not None:
        return saved
    effective = run_effective(predictor)
    if say:
        say(f"fitting SegRec on {backbone} for run {run.name}; it stays in {folder}")
    data, split = predictor.data.training, predictor.data.split
    fit = FitRun(seed=run.config.seed, device=device, epochs=run.config.epochs)
    interest = known_interest(lambda: make_model(run.config.model, run.config.settings), data, split, fit, FOLDS)
    model.fit(data, split, effective.labels(data.views), interest, FitRun(seed=run.config.seed, device=device))
    with whole_folder(folder) as temporary:
        facts, arrays = model.state()
        write_state(temporary, {"fingerprint": fingerprint, "effective": effective.state(), **facts}, arrays)
    return SavedSegRec(model, effective)


def _fingerprint(run: Run, model: SegRec) -> str:
    """Of the run's configuration, data and weights, and of the settings of its SegRec."""
    settings = json.dumps([model.backbone, FOLDS, vars(model.config)], sort_keys=True)
    found = hashlib.sha256(settings.encode())
    for name in ("config.json", "data.json", "model/facts.json", "model/weights.safetensors"):
        found.update((run.folder / name).read_bytes())
    return found.hexdigest()[:16]


def _read(folder: Path, model: SegRec, fingerprint: str) -> SavedSegRec | None:
    """What lies in the folder; None where that is nothing, or another run's."""
    if not (folder / "facts.json").is_file():
        return None
    try:
        facts, arrays = read_state(folder)
        if facts["fingerprint"] != fingerprint:
            return None
        model.restore(facts, arrays)
        return SavedSegRec(model, EffectiveViews.restored(facts["effective"]))
    except (ValueError, KeyError) as error:
        raise ValueError(f"{folder}: no recommender ({error}); delete it, and it will be fitted again") from error
