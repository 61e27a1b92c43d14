"""The registry of models; each file holds one, or one family.

A new model is a file with a :class:`~segmodel.models.base.SegmentModel` and one line here; command-line choices and the
contract tests come from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmodel.models.base import SegmentModel

DEFAULT = "hazard"

MODELS: Mapping[str, str] = {
    "hazard": "hazard.model:HazardModel",
    "paper": "paper.model:PaperModel",
    "random": "positions:Random",
    "all-position": "positions:AllPosition",
    "user-position": "positions:UserPosition",
    "item-position": "positions:ItemPosition",
    "duration-position": "durations:DurationPosition",
    "duration-user-position": "durations:DurationUserPosition",
    "gbdt-hazard": "gbdt.model:GbdtHazard",
    "ensemble": "ensemble:Ensemble",
    "lightgcn": "baselines.general.lightgcn:LightGCN",
    "directau": "baselines.general.directau:DirectAU",
    "caser": "baselines.general.caser:Caser",
    "sasrec": "baselines.general.sasrec:SASRec",
    "widedeep": "baselines.context.widedeep:WideDeep",
    "dcnv2": "baselines.context.dcnv2:DCNv2",
    "finalmlp": "baselines.context.finalmlp:FinalMLP",
    "adagin": "baselines.context.adagin:AdaGIN",
    "din": "baselines.context.din:DIN",
    "dien": "baselines.context.dien:DIEN",
    "can": "baselines.context.can:CAN",
    "slmrec": "baselines.multimodal.slmrec:SLMRec",
    "bm3": "baselines.multimodal.bm3:BM3",
    "freedom": "baselines.multimodal.freedom:FREEDOM",
    "wlr": "watch_time.wlr:WLR",
    "d2q": "watch_time.d2q:D2Q",
    "tpm": "watch_time.tpm:TPM",
    "cread": "watch_time.cread:CREAD",
    "cqe": "watch_time.cqe:CQE",
}
"""Name -> module (relative to this package) and class."""


def model_class(name: str) -> type[SegmentModel]:
    """The class behind a registry name.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; valid are {', '.join(MODELS)}")
    module, _, attribute = MODELS[name].partition(":")
    found: type[SegmentModel] = getattr(import_module(f"{__name__}.{module}"), attribute)
    return found


def make_model(name: str, settings: Mapping[str, Any] | None = None) -> SegmentModel:
    """An unfitted model with the given settings over its defaults.

    Raises
    ------
    ValueError
        For an unknown name or setting.
    """
    from segmodel.models.settings import make_config

    found = model_class(name)
    return found(make_config(found.Config, settings or {}))
