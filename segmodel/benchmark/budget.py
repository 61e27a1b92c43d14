"""The search that every system gets: the same number of trials over declared choices, judged on validation views."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from segmodel.models import model_class
from segmodel.models.settings import Search


@dataclass(frozen=True)
class Budget:
    """What a system may spend.

    Attributes
    ----------
    trials : int
        Settings tried, with the first seed. The best on validation is fitted with the other seeds, too.
    seeds : int
    epochs, patience_updates : int
        Most that a fit may have, whatever the model's own limits; patience counts updates without a better score.
    folds : int
        Of cross-fitted interest, in the recommendation benchmark; 1 fits it once, the plain way.
    """

    trials: int
    seeds: int
    epochs: int
    patience_updates: int
    folds: int = 1


BUDGETS: Mapping[str, Budget] = {
    "small": Budget(trials=2, seeds=2, epochs=10, patience_updates=80),
    "default": Budget(trials=16, seeds=3, epochs=400, patience_updates=500),
}
"""Of the skip benchmark."""

RECOMMEND_BUDGETS: Mapping[str, Budget] = {
    "small": Budget(trials=2, seeds=2, epochs=8, patience_updates=50, folds=2),
    "default": Budget(trials=16, seeds=3, epochs=60, patience_updates=200, folds=5),
}
"""Of the recommendation benchmark, whose networks are at their best after few epochs, and which has many more fits."""


def search_space(model: str) -> Search:
    """What a model's ``Config`` declares; empty where there is nothing to choose."""
    declared: Search = getattr(model_class(model).Config, "search", {})
    return declared


def trials(model: str, budget: Budget, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The settings that are tried, at most ``budget.trials``; the k-th is the same under every budget.

    The first takes the first choice of every setting, the others are drawn without repetition: random search, which
    needs no model of a validation score that is itself uncertain, and whose trials do not wait for each other (Bergstra
    and Bengio 2012). Settings ``without`` are left at their defaults.
    """
    space = {key: choices for key, choices in search_space(model).items() if key not in without}
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
    limits = {"epochs": budget.epochs, "patience_updates": budget.patience_updates}
    return {key: min(int(own[key]), limit) for key, limit in limits.items() if key in own}
