"""Who carries out the shards of an extraction: this machine, or many.

A new engine is one class with a method ``run`` and one line in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segfeat.engines.base import Engine

ENGINES: Mapping[str, str] = {
    "local": "segfeat.engines.local:Local",
    "ray": "segfeat.engines.ray:Ray",
}
"""Name -> engine as ``module:class``; the first one is the default."""


def make_engine(name: str, **options: Any) -> Engine:
    """An engine with its own options.

    Raises
    ------
    ValueError
        If there is no such engine, or it does not take an option; names the valid ones.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; valid are {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    kind = getattr(import_module(module), attribute)
    given = {key: value for key, value in options.items() if value is not None}
    valid = set(kind.__dataclass_fields__)
    if unknown := sorted(set(given) - valid):
        raise ValueError(f"the engine {name} takes no {', '.join(unknown)}; valid are {', '.join(valid) or 'none'}")
    engine: Engine = kind(**given)
    return engine
