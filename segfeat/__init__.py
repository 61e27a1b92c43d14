"""segfeat: short videos in, segment features out.

>>> import segfeat
>>> segfeat.extract(["videos/"], "feats.h5", preset="offline")        # doctest: +SKIP
>>> segfeat.open_store("feats.h5")["some-video"].visual.shape         # doctest: +SKIP
(6, 112)

Importing this package is cheap: torch and the media libraries are loaded by the first call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segfeat.extraction import extract
    from segfeat.interactions import Interactions
    from segfeat.log_file import read_interactions
    from segfeat.store.reader import FeatureStore, open_store
    from segfeat.types import Clip, EncoderSpec, VideoFeatures

__version__ = "0.1.0"

_HOMES = {
    "Clip": "types",
    "EncoderSpec": "types",
    "VideoFeatures": "types",
    "FeatureStore": "store.reader",
    "open_store": "store.reader",
    "Interactions": "interactions",
    "read_interactions": "log_file",
    "extract": "extraction",
}

__all__ = [
    "Clip",
    "EncoderSpec",
    "FeatureStore",
    "Interactions",
    "VideoFeatures",
    "extract",
    "open_store",
    "read_interactions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"segfeat.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'segfeat' has no attribute {name!r}")
