"""The systems of the skip benchmark, in the order of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segmodel.models import model_class

CONTENT = "content"

BASELINE_FAMILIES = ("Position", "Hazard", "GeneralRec", "ContextRec", "MMRec")
"""Families whose best member the others are measured against."""


@dataclass(frozen=True)
class System:
    """One row of the tables.

    Attributes
    ----------
    name, family : str
    model : str
        Registry name.
    modalities : tuple of str
        What of ``id`` and ``content`` it is given, for models that have a choice; empty for the others.
    fixed : mapping
        Settings that make it what it is.
    """

    name: str
    family: str
    model: str
    modalities: tuple[str, ...] = field(default=())
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, here: Sequence[str]) -> dict[str, Any]:
        """Settings that make it this system on a store with the content modalities ``here``."""
        if not self.modalities:
            return dict(self.fixed)
        modalities = tuple(n for m in self.modalities for n in (here if m == CONTENT else (m,)))
        return {"modalities": modalities, **self.fixed}

    def lacks(self, here: Sequence[str]) -> str:
        """Why it cannot run on a store with the content modalities ``here``; empty if it can."""
        needs = CONTENT in self.modalities or getattr(model_class(self.model), "needs_content", False)
        return "the store has no content features" if needs and not here else ""


def _family(family: str, *models: str) -> list[System]:
    return [System(model, family, model) for model in models]


_AS_PRINTED = {"score": "sigmoid"}
"""The paper's model by its text. Its other rows rank by the unbounded sum, as its public code trains it."""

SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        *_family("Position", "random", "all-position", "user-position", "item-position"),
        *_family("Position", "duration-position", "duration-user-position"),
        *_family("Hazard", "gbdt-hazard"),
        *_family("GeneralRec", "lightgcn", "directau", "caser", "sasrec"),
        *_family("ContextRec", "widedeep", "dcnv2", "finalmlp", "adagin", "din", "dien", "can"),
        *_family("MMRec", "slmrec", "bm3", "freedom"),
        System("paper-id", "Paper", "paper", ("id",)),
        System("paper-id-sigmoid", "Paper", "paper", ("id",), _AS_PRINTED),
        System("paper-content", "Paper", "paper", (CONTENT,)),
        System("paper-content-sigmoid", "Paper", "paper", (CONTENT,), _AS_PRINTED),
        System("paper-all", "Paper", "paper", ("id", CONTENT)),
        System("paper-all-sigmoid", "Paper", "paper", ("id", CONTENT), _AS_PRINTED),
        System("hazard-id", "Ours", "hazard", ("id",)),
        System("hazard-all", "Ours", "hazard", ("id", CONTENT)),
        System("ensemble", "Ours", "ensemble"),
    )
}
"""Name -> system. The last two families are the paper's model and this project's."""


def chosen(text: str, systems: Mapping[str, System] = SYSTEMS) -> tuple[System, ...]:
    """Those of ``systems`` behind ``all`` or a comma-separated list, in the tables' order.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    names = list(systems) if text == "all" else [n.strip() for n in text.split(",") if n.strip()]
    if unknown := [n for n in names if n not in systems]:
        raise ValueError(f"unknown system {', '.join(unknown)}; valid are all, {', '.join(systems)}")
    if not names:
        raise ValueError(f"no system given; valid are all, {', '.join(systems)}")
    return tuple(s for s in systems.values() if s.name in names)
