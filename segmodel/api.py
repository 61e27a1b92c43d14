"""The library's face: train or load a model, and ask it. The commands call the same functions.

>>> import segmodel
>>> segmodel.list_models()[:2]
['hazard', 'paper']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segfeat.store.reader import FeatureStore
from segmodel.data.log import Log
from segmodel.evaluation.comparison import Comparison
from segmodel.model import Model
from segmodel.models import DEFAULT, MODELS
from segmodel.runs.compare import compare as compare_runs
from segmodel.runs.compare import group_runs
from segmodel.runs.config import run_config
from segmodel.runs.held_out import BASELINES
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import LATEST, Run
from segmodel.runs.train import Report, prepare
from segmodel.runs.train import train as fit


def train(
    store: str | Path | FeatureStore,
    model: str = DEFAULT,
    *,
    interactions: str | Path | Sequence[str | Path] | None = None,
    out: str | Path | None = None,
    split: str = "temporal",
    seed: int = 0,
    epochs: int | None = None,
    device: str = "auto",
    report: Report | None = None,
    **settings: Any,
) -> Model:
    """Train a model on a store and its watch log, and write its run directory.

    Parameters
    ----------
    store : path or FeatureStore
    model : str
        One of :func:`list_models`.
    interactions : path or paths, optional
        Watch log; default: the one in the store.
    out : path, optional
        Run directory; default: ``runs/<model>-<number>``.
    split : {"temporal", "random"}
        ``random`` is the paper's and leaks.
    seed : int
    epochs : int, optional
        At most so many; default: the model's own limit.
    device : str
        ``auto``, ``cpu`` or ``cuda[:i]``.
    report : callable, optional
        Receives a record after each epoch.
    **settings
        Settings of the model, as for ``segmodel train --set``, and the run options ``train_share``,
        ``max_duration_s`` and ``max_segments``.

    Raises
    ------
    ValueError
        For unknown models and settings, values out of range, an existing ``out``, and where there is nothing to learn
        from; nothing has been written then.

    Examples
    --------
    >>> model = segmodel.train("feats.h5", "paper", d=32, seed=1)               # doctest: +SKIP
    """
    from segmodel.models.device import resolve_device

    path = store.path if isinstance(store, FeatureStore) else store
    options: dict[str, Any] = {"model": model, "split": split, "seed": seed, "epochs": epochs, **settings}
    if interactions is not None:
        files = [interactions] if isinstance(interactions, str | Path) else interactions
        options["interactions"] = [str(file) for file in files]
    training = prepare(run_config(path, options))
    return load(fit(training, out, device=resolve_device(device), report=report))


def load(
    run: str | Path | Run = LATEST,
    *,
    store: str | Path | None = None,
    history: Log | None = None,
    unit: str | Sequence[str] = (),
    device: str = "cpu",
) -> Model:
    """Open a finished run.

    Parameters
    ----------
    run : path
        Run directory.
    store : path, optional
        Default: the one the run recorded.
    history : DataFrame, Interactions or path, optional
        Views beyond the run's log, for histories.
    unit : str or sequence of str
        In what it, and whatever the model is asked later, counts time, as in ``--unit``; default: as the run's log.
    device : str
        Where networks predict that can be moved.

    Raises
    ------
    ValueError
        If the folder is no finished run, or its store or log cannot be opened or does not fit.

    Examples
    --------
    >>> segmodel.load("runs/hazard-1")                                          # doctest: +SKIP
    <Model hazard, run hazard-1, on feats.h5>
    """
    from segmodel.models.device import resolve_device

    predictor = open_predictor(run, store, history, (unit,) if isinstance(unit, str) else unit)
    predictor.run.model.to(resolve_device(device))
    return Model(predictor)


def list_models() -> list[str]:
    """Names of all models, the default first.

    Examples
    --------
    >>> "sasrec" in list_models()
    True
    """
    return list(MODELS)


def compare(
    models: Sequence[Model | Run | str | Path] | Mapping[str, Sequence[Model | Run | str | Path]],
    baselines: str | Sequence[str] = (),
    *,
    reference: str | None = None,
    interactions: Log | None = None,
) -> Comparison:
    """Set models side by side on the same views, with paired 95 % intervals.

    Parameters
    ----------
    models : sequence, or name -> sequence
        Models, runs or run directories; those that differ only in seed are one model.
    baselines : names, or ``"all"``
    reference : str, optional
        What differences are to; default: ``duration-position`` where it takes part, else the first.
    interactions : DataFrame, Interactions or path, optional
        Views to measure on; default: each run's test views.

    Raises
    ------
    ValueError
        If there is nothing to compare, runs come from different logs, or the reference is unknown.

    Examples
    --------
    >>> segmodel.compare(["runs/hazard-1", "runs/paper-1"], baselines="all").to_frame()   # doctest: +SKIP
    """
    if isinstance(models, Mapping):
        groups = {name: [_run(member) for member in members] for name, members in models.items()}
    else:
        groups = group_runs([_run(model) for model in models])
    names = BASELINES if baselines == "all" else tuple(baselines)
    return compare_runs(groups, names, reference, interactions)


def _run(model: Model | Run | str | Path) -> Run:
    from segmodel.runs.run import load_run

    return model.run if isinstance(model, Model) else model if isinstance(model, Run) else load_run(model)
