"""From ``--set KEY=VALUE`` and config files to a model's frozen configuration."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Union, get_args, get_origin, get_type_hints

Search = Mapping[str, Sequence[Any]]
"""A setting -> its choices; the first of each make the first trial. A ``Config`` declares it as ``search``."""

Ablations = Mapping[str, Mapping[str, Any]]
"""A part of a model -> the settings that leave it out. A ``Config`` declares it as ``ablations``.

What a part cannot do without it declares as ``ablation_needs``: part -> ``content``, or a kind of traits.
"""


def stored_settings(config: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a run has stored, as this release reads them.

    A stored table holds every setting of its release, so one that is absent did not exist yet. A ``Config`` declares
    what held before in ``before``, setting -> value, and the names it has given up in ``retired``.
    """
    before: Mapping[str, Any] = getattr(config, "before", {})
    retired: Sequence[str] = getattr(config, "retired", ())
    return {**before, **{k: v for k, v in settings.items() if k not in retired}}


def make_config(config: type, settings: Mapping[str, Any]) -> Any:
    """Build a configuration from a flat table; values may be strings.

    Raises
    ------
    ValueError
        For an unknown key (the message lists the valid ones) or a value of the wrong kind.
    """
    valid = [f.name for f in fields(config)]
    unknown = [k for k in settings if k not in valid]
    if unknown:
        raise ValueError(f"unknown setting {', '.join(unknown)}; valid are {', '.join(valid) or 'none'}")
    hints = get_type_hints(config)
    found = config(**{key: _value(key, value, hints[key]) for key, value in settings.items()})
    check_ranges(found)
    return found


_FROM_ZERO = ("seed",)
_SHARES = ("dropout", "share", "probability")


def check_ranges(config: Any) -> None:
    """Refuse numbers that no setting of their kind can have, whatever the model.

    Counts are at least 1, shares lie in 0 .. 1 (a dropout below 1), learning rates above 0, and everything else is at
    least 0 and finite.

    Raises
    ------
    ValueError
        Names the setting and its range.
    """
    for key, value in ((f.name, getattr(config, f.name)) for f in fields(config)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        name = f"setting {key}"
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} must be a number of at least 0, not {value}")
        if key.endswith(_SHARES):
            if value > 1 or (key.endswith("dropout") and value == 1):
                raise ValueError(f"{name} must lie between 0 and 1, not {value:g}")
        elif isinstance(value, int) and value == 0 and not key.endswith(_FROM_ZERO):
            raise ValueError(f"{name} must be at least 1, not 0")
        elif key == "learning_rate" and value == 0:
            raise ValueError(f"{name} must be above 0")


def one_of(key: str, value: str, valid: Sequence[str]) -> None:
    """Refuse a value that is none of ``valid``.

    Raises
    ------
    ValueError
        Naming the setting and the valid choices.
    """
    if value not in valid:
        raise ValueError(f"unknown {key} {value!r}; valid are {', '.join(valid)}")


def _value(key: str, value: Any, kind: Any) -> Any:
    """``value`` as ``kind``: bool, int, float, str, a table, tuple[str, ...] or one of them or None."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None or value == "none":
            return None
        (kind,) = [k for k in get_args(kind) if k is not type(None)]
        return _value(key, value, kind)
    if origin is Mapping:
        return dict(value)
    if origin is tuple:
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(_value(key, p, get_args(kind)[0]) for p in parts if p != "")
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        if kind is int and float(value) != int(float(value)):
            raise ValueError(value)
        return int(float(value)) if kind is int else kind(value)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"setting {key}: {value!r} is no {getattr(kind, '__name__', kind)}") from error
