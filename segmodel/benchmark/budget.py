"""The search that every system gets: the same number of trials over declared choices, judged on validation views."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from segmodel.models import model_class


@dataclass(frozen=True)
class Budget:
    """What a system may spend.

    Attributes
    ----------
    trials : int
        Settings tried, with the first seed. The best on validation is fitted with the other seeds, too.
    seeds : int
    epochs, patience : int
        Most that a fit may have, whatever the model's own limits.
    folds : int
        Of cross-fitted interest, in the recommendation benchmark; 1 fits it once, the plain way.
    """

    trials: int
    seeds: int
    epochs: int
    patience: int
    folds: int = 1


BUDGETS: Mapping[str, Budget] = {
    "small": Budget(trials=2, seeds=2, epochs=10, patience=4),
    "default": Budget(trials=8, seeds=3, epochs=60, patience=8),
}
"""Of the skip benchmark."""

RECOMMEND_BUDGETS: Mapping[str, Budget] = {
    "small": Budget(trials=2, seeds=2, epochs=4, patience=1, folds=2),
    "default": Budget(trials=8, seeds=3, epochs=30, patience=4, folds=5),
}
"""Of the recommendation benchmark, whose networks are at their best after few epochs, and which has many more fits."""

Space = Mapping[str, Sequence[Any]]

_NETWORK: Space = {
    "learning_rate": (3e-3, 1e-3, 1e-2),
    "d": (32, 64),
    "dropout": (0.1, 0.0, 0.3),
    "weight_decay": (1e-4, 1e-2, 1e-6),
    "batch_views": (256, 128, 512),
}

_HAZARD: Space = {"learning_rate": (2e-3, 1e-3, 4e-3), "width": (64, 32), "dropout": (0.3, 0.1, 0.5)}

SPACES: Mapping[str, Space] = {
    "user-position": {"prior_views": (1.0, 5.0, 20.0)},
    "item-position": {"prior_views": (1.0, 5.0, 20.0)},
    "duration-position": {"completion_prior_views": (10.0, 3.0, 30.0)},
    "duration-user-position": {"skip_prior_views": (20.0, 5.0, 80.0), "offset_variance": (0.5, 0.1, 2.0)},
    "gbdt-hazard": {"learning_rate": (0.05, 0.1), "leaves": (8, 16), "trees": (150, 300), "l2": (5.0, 50.0)},
    "lightgcn": {**_NETWORK, "layers": (2, 1, 3)},
    "directau": {**_NETWORK, "layers": (1, 2), "gamma": (1.0, 0.3, 3.0)},
    "caser": {**_NETWORK, "history": (10, 20)},
    "sasrec": {**_NETWORK, "history": (30, 15), "layers": (2, 1)},
    "widedeep": {**_NETWORK, "layers": (2, 1, 3)},
    "dcnv2": {**_NETWORK, "crosses": (2, 1, 3)},
    "finalmlp": {**_NETWORK, "layers": (2, 1, 3)},
    "adagin": {**_NETWORK, "layers": (2, 1, 3)},
    "din": {**_NETWORK, "history": (20, 10)},
    "dien": {**_NETWORK, "auxiliary": (0.5, 0.1)},
    "can": {**_NETWORK, "history": (20, 10), "orders": (2, 1)},
    "slmrec": {**_NETWORK, "layers": (2, 1), "contrast": (0.1, 0.01)},
    "bm3": {**_NETWORK, "layers": (1, 2), "target_dropout": (0.3, 0.5)},
    "freedom": {**_NETWORK, "layers": (2, 1), "pruned": (0.8, 0.9)},
    "paper": {**_NETWORK, "layers": (2, 1)},
    "hazard": _HAZARD,
    "ensemble": {**_HAZARD, "leaves": (8, 16)},
}
"""Model -> setting -> choices. The first of each make the first trial. What is not here has nothing to choose."""


def trials(model: str, budget: Budget) -> list[dict[str, Any]]:
    """The settings that are tried, at most ``budget.trials``; the k-th is the same under every budget.

    The first takes the first choice of every setting, the others are drawn without repetition.
    """
    space = SPACES.get(model, {})
    rng = np.random.default_rng(zlib.crc32(model.encode()))
    found = [{key: choices[0] for key, choices in space.items()}]
    possible = int(np.prod([len(choices) for choices in space.values()]))
    while len(found) < min(budget.trials, possible):
        drawn = {key: choices[int(rng.integers(len(choices)))] for key, choices in space.items()}
        if drawn not in found:
            found.append(drawn)
    return found


def within(model: str, budget: Budget) -> dict[str, int]:
    """The model's own limits on epochs and patience, cut to the budget's."""
    own: dict[str, Any] = {f.name: f.default for f in fields(model_class(model).Config)}
    limits = {"epochs": budget.epochs, "patience": budget.patience}
    return {key: min(int(own[key]), limit) for key, limit in limits.items() if key in own}
