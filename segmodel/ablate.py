"""Ablations: what each part of a model is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FULL = "full"

ABLATIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "hazard": {
        "no attention": {"attention": False},
        "no user statistics": {"user_statistics": False},
        "no user filter": {"user_filter": False},
        "no simulated deployment": {"deployed_share": 0.0},
        "no modality dropout": {"modality_dropout": 0.0},
        "one network": {"members": 1},
    },
    "paper": {
        "no attention": {"attention": False},
        "no position": {"position": False},
        "bce loss": {"loss": "bce"},
    },
}
"""Model -> name of the ablation -> settings; single modalities come from what the store has."""


def ablations(model: str, modalities: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The full model, the model without each of its parts, and with each modality alone.

    Parameters
    ----------
    model : str
        Registry name.
    modalities : sequence of str
        Those the full model uses, of ``id``, ``visual``, ``audio``, ``text``.

    Returns
    -------
    name -> options
        For :func:`segmodel.grid.fit_grid`; the full model first, under :data:`FULL`.

    Raises
    ------
    ValueError
        If the model has no ablations; the message lists those that have.
    """
    if model not in ABLATIONS:
        raise ValueError(f"no ablations for model {model!r}; valid are {', '.join(ABLATIONS)}")
    base = {"model": model, "modalities": tuple(modalities)}
    found: dict[str, dict[str, Any]] = {FULL: dict(base)}
    for name, settings in ABLATIONS[model].items():
        found[name] = {**base, **settings}
    if len(modalities) > 1:
        for modality in modalities:
            found[f"{modality} only"] = {**base, "modalities": (modality,)}
    return found
