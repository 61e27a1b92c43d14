"""Comparing runs: those that differ only in seed are one model, those on earlier test windows other cuts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from segmodel.data.log import Log
from segmodel.data.splits import VALID_SHARE, parse_leave_out
from segmodel.evaluation.comparison import Comparison, compare_outcomes
from segmodel.evaluation.evaluation import Evaluation
from segmodel.runs.config import RunConfig
from segmodel.runs.held_out import held_out
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run

DEFAULT_REFERENCE = "duration-position"


def compare(
    models: Mapping[str, Sequence[Run]],
    baselines: Sequence[str] = (),
    reference: str | None = None,
    log: Log | None = None,
    history: Log | None = None,
    unit: Sequence[str] = (),
) -> Comparison:
    """Evaluate runs and baselines on the same views.

    Parameters
    ----------
    models : name -> runs
        The runs of a model differ in seed and cut alone; see :func:`group_runs`.
    baselines : sequence of str
        Fitted on the training views of each cut; one that bears the name of a model is left to it.
    reference : str, optional
        Name of a model or baseline; DurationPosition where it takes part, else the first model.
    log, history : Interactions, DataFrame or paths, optional
        Other views to measure on, and more views for histories.
    unit : sequence of str
        In what they count time, as in ``--unit``; default: as each run's log.

    Raises
    ------
    ValueError
        If there is nothing to compare, runs come from different logs, or the reference is unknown.
    """
    runs = [run for group in models.values() for run in group]
    if not runs:
        raise ValueError("no run to compare")
    for run in runs:
        if run.data["log_fingerprint"] != runs[0].data["log_fingerprint"]:
            raise ValueError(f"{run.folder} and {runs[0].folder} were trained on different logs")
    baselines = [name for name in baselines if name not in models]
    outcomes: dict[str, dict[str, list[Evaluation]]] = {name: {} for name in (*models, *baselines)}
    for name, group in models.items():
        for run in sorted(group, key=lambda r: (r.config.train_share, r.config.seed)):
            cut = cut_name(run.config)
            with open_predictor(run, history=history, unit=unit) as predictor:
                held = held_out(predictor.data, None if log is None else predictor.data.read(log))
                outcomes[name].setdefault(cut, []).append(held.evaluate(run.model))
                for baseline in baselines:
                    if cut not in outcomes[baseline]:
                        outcomes[baseline][cut] = [held.baseline(baseline)]
    if reference is None:
        reference = DEFAULT_REFERENCE if DEFAULT_REFERENCE in outcomes else next(iter(models))
    return compare_outcomes(outcomes, reference)


def cut_name(config: RunConfig) -> str:
    """Where the test window of a run starts."""
    if config.split == "random":
        return f"random split {config.seed}"
    if (named := parse_leave_out(config.split)) is not None:
        return f"without {'='.join(named)}"
    return f"test from {config.train_share + VALID_SHARE:.0%}"


def group_runs(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by model and settings; a name tells the settings in which models of one kind differ."""
    groups: list[tuple[RunConfig, list[Run]]] = []
    for run in runs:
        kind = replace(run.config, seed=0, train_share=RunConfig.train_share, interactions=(), unit=(), context=())
        for known, members in groups:
            if known == kind:
                members.append(run)
                break
        else:
            groups.append((kind, [run]))
    kinds = [kind for kind, _ in groups]
    return {_name(kind, kinds): members for kind, members in groups}


def _name(kind: RunConfig, kinds: Sequence[RunConfig]) -> str:
    alike = [_table(other) for other in kinds if other.model == kind.model]
    own = _table(kind)
    telling = [f"{key}={value}" for key, value in own.items() if any(other.get(key) != value for other in alike)]
    return f"{kind.model} {' '.join(telling)}" if telling else kind.model


def _table(config: RunConfig) -> dict[str, Any]:
    settings = {k: ",".join(v) if isinstance(v, list) else v for k, v in config.settings.items()}
    return {**settings, "split": config.split, "epochs": config.epochs, "store": config.store}
