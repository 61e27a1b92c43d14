"""Sweeps: variants of models × temporal cuts × seeds, and the variants that leave a part of a model out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segfeat.store.reader import FeatureStore
from segmodel.countdown import Countdown
from segmodel.data.splits import VALID_SHARE
from segmodel.data.traits import CONTEXT, USER, VIDEO
from segmodel.models import MODELS, model_class
from segmodel.models.settings import Ablations
from segmodel.runs.config import run_config
from segmodel.runs.run import Run, load_run
from segmodel.runs.train import prepare, resume, train

Progress = Callable[[str], None]


def fit_grid(
    store: str | Path,
    variants: Mapping[str, Mapping[str, Any]],
    folder: str | Path,
    *,
    cuts: Sequence[float] = (0.9,),
    seeds: Sequence[int] = (0,),
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, list[Run]]:
    """Train every variant at every cut with every seed; what stands finished in ``folder`` is not trained again.

    Parameters
    ----------
    store : path
    variants : name -> options
        Run options and model settings, as in a file for ``segmodel train --config``.
    folder : path
        Run directories appear below it, one per name, cut and seed.
    cuts : sequence of float
        Where test windows start, as shares of each user's views; a tenth before that validates, the rest trains.
    seeds : sequence of int
    device : str
    progress : callable, optional
        Receives a line before each training.

    Returns
    -------
    name -> runs

    Raises
    ------
    ValueError
        For a cut that leaves nothing to train or to test, wrong options, or a run there that was made with others.
    """
    for cut in cuts:
        if not VALID_SHARE < cut < 1:
            raise ValueError(f"cut {cut:g}: a test window must start between {VALID_SHARE:g} and 1")
    found: dict[str, list[Run]] = {name: [] for name in variants}
    countdown = Countdown(len(variants) * len(cuts) * len(seeds))
    for name, cut, seed in _cells(variants, cuts, seeds):
        out = Path(folder) / f"{name.replace(' ', '-')}-from-{round(cut * 1000):03d}-seed-{seed}"
        options = {**variants[name], "train_share": round(cut - VALID_SHARE, 9), "seed": seed}
        found[name].append(_fit(store, options, out, device, progress, countdown))
        countdown.step()
    return found


def _cells(names: Mapping[str, Any], cuts: Sequence[float], seeds: Sequence[int]) -> Iterator[tuple[str, float, int]]:
    # Whole rows first: after the first seed every variant can be looked at.
    for seed in seeds:
        for cut in cuts:
            for name in names:
                yield name, cut, seed


def _fit(
    store: str | Path,
    options: Mapping[str, Any],
    out: Path,
    device: str,
    progress: Progress | None,
    countdown: Countdown,
) -> Run:
    job = prepare(run_config(store, options))
    if (out / "model" / "facts.json").exists():
        run = load_run(out)
        if run.config != job.config or run.data["log_fingerprint"] != job.data.summary["log_fingerprint"]:
            raise ValueError(f"{out} was trained with other options or another log; choose another folder")
        return run
    if progress:
        rest = f", {countdown.rest()}" if countdown.done else ""
        progress(f"training {out.name} ({countdown.done + 1}/{countdown.total}{rest})")
    if out.exists():
        return resume(out, device=device)
    return train(job, out, device=device, latest=False)


FULL = "full"


def ablated_models() -> list[str]:
    """The models of the registry that declare ablations."""
    return [name for name in MODELS if getattr(model_class(name).Config, "ablations", {})]


def what_there_is(store: FeatureStore, context: Collection[str] = ()) -> frozenset[str]:
    """Which kinds of traits, that parts of models may need, a store and a log with these context columns have."""
    has = {
        VIDEO: store.video_attributes,
        USER: store.user_attributes,
        CONTEXT: context,
    }
    return frozenset(name for name, found in has.items() if found)


def ablations(model: str, modalities: Sequence[str], there: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """The full model, the model without each of its parts, and with each modality alone.

    Parameters
    ----------
    model : str
        Registry name.
    modalities : sequence of str
        Those the full model uses, of ``id``, ``visual``, ``audio``, ``text``.
    there : collection of str, optional
        Of :func:`what_there_is`; parts that need something else are left out, since they can do nothing.

    Returns
    -------
    name -> options
        For :func:`segmodel.runs.sweep.fit_grid`; the full model first, under :data:`FULL`.

    Raises
    ------
    ValueError
        If the model has no ablations; the message lists those that have.
    """
    parts: Ablations = getattr(model_class(model).Config, "ablations", {})
    if not parts:
        raise ValueError(f"no ablations for model {model!r}; valid are {', '.join(ablated_models())}")
    base = {"model": model, "modalities": tuple(modalities)}
    found: dict[str, dict[str, Any]] = {FULL: dict(base)}
    content = {"content"} if {*modalities} - {"id"} else set()
    needs: Mapping[str, str] = getattr(model_class(model).Config, "ablation_needs", {})
    for name, settings in parts.items():
        if there is None or name not in needs or needs[name] in {*there, *content}:
            found[name] = {**base, **settings}
    if len(modalities) > 1:
        for modality in modalities:
            found[f"{modality} only"] = {**base, "modalities": (modality,)}
    return found
