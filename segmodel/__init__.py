"""segmodel: who will leave which segment of a short video.

>>> import segmodel
>>> model = segmodel.train("feats.h5")                                  # doctest: +SKIP
>>> model.predict(["17"], ["cooking-12", "sea-3"]).expected_watch_s      # doctest: +SKIP
array([11.2,  4.9])
>>> model.recommend("17", n=5).ids                                      # doctest: +SKIP
['sea-3', 'cooking-12', 'cats-4', 'sea-9', 'cooking-2']

Importing this package is cheap: torch and pandas are loaded by the first call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmodel.api import compare, list_models, load, train
    from segmodel.model import Model

__all__ = ["Model", "compare", "list_models", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("segmodel.model" if name == "Model" else "segmodel.api"), name)
    raise AttributeError(f"module 'segmodel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
