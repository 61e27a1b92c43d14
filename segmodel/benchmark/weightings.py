"""The rows of the recommendation benchmark, in the order of the paper's Table 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segmodel.benchmark.systems import SYSTEMS
from segmodel.recommend import BACKBONES, DIRECT
from segmodel.recommend.weights import INTEREST, SEGADJUST, SEGSUM, VIDEO

REFERENCE = VIDEO
"""What every other mode is measured against, with the same backbone."""

BACKBONE_TITLES = {"widedeep": "WideDeep", "adagin": "AdaGIN", "din": "DIN", "can": "CAN"}


@dataclass(frozen=True)
class Mode:
    """How the segments of a video become its score.

    Attributes
    ----------
    name, title : str
    weighing : str
        One of :mod:`segmodel.recommend.weights`, or :data:`DIRECT`, which has no backbone.
    system : str
        Whose interest the weights are, by its name in the skip benchmark; empty where that is the backbone itself, or
        nobody's.
    """

    name: str
    title: str
    weighing: str = INTEREST
    system: str = ""

    def source(self, backbone: str, here: Sequence[str]) -> str:
        """The system whose interest counts, on a store with the content modalities ``here``; empty if none's."""
        if self.weighing == DIRECT:
            return "hazard-all" if here else "hazard-id"
        return self.system or (backbone if self.weighing == INTEREST else "")

    def lacks(self, here: Sequence[str]) -> str:
        """Why it cannot be had from a store with the content modalities ``here``; empty if it can."""
        return SYSTEMS[self.system].lacks(here) if self.system else ""


def _weights_of(system: str, title: str) -> Mode:
    return Mode(system, title, system=system)


MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(VIDEO, "Video", VIDEO),
        Mode(SEGSUM, "SegSum", SEGSUM),
        Mode(SEGADJUST, "SegAdjust", SEGADJUST),
        _weights_of("item-position", "w. ItemPosition"),
        Mode("backbone", "w. backbone"),
        _weights_of("sasrec", "w. SASRec"),
        _weights_of("adagin", "w. AdaGIN"),
        _weights_of("dien", "w. DIEN"),
        _weights_of("freedom", "w. FREEDOM"),
        _weights_of("paper-id", "SegRec, paper, id"),
        _weights_of("paper-content", "SegRec, paper, content"),
        _weights_of("paper-all", "SegRec, paper, both"),
        _weights_of("hazard-id", "SegRec, ours, id"),
        _weights_of("hazard-all", "SegRec, ours, all"),
        Mode(DIRECT, "ours, direct", DIRECT),
    )
}
"""Name -> mode."""


def chosen_modes(text: str) -> tuple[Mode, ...]:
    """The modes behind ``all`` or a comma-separated list, in the table's order; the reference is always among them.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    names = _names(text, list(MODES), "mode")
    return tuple(m for m in MODES.values() if m.name in (REFERENCE, *names))


def chosen_backbones(text: str) -> tuple[str, ...]:
    """The backbones behind ``all`` or a comma-separated list, in the table's order.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    names = _names(text, BACKBONES, "backbone")
    return tuple(b for b in BACKBONES if b in names)


def _names(text: str, valid: Sequence[str], what: str) -> list[str]:
    names = list(valid) if text == "all" else [n.strip() for n in text.split(",") if n.strip()]
    if unknown := [n for n in names if n not in valid]:
        raise ValueError(f"unknown {what} {', '.join(unknown)}; valid are all, {', '.join(valid)}")
    if not names:
        raise ValueError(f"no {what} given; valid are all, {', '.join(valid)}")
    return names
