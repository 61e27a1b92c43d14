"""Where networks are trained: names of devices, checked."""

from __future__ import annotations


def resolve_device(name: str) -> str:
    """``auto``, ``cpu`` or ``cuda[:i]`` as a device that is there; ``auto`` takes a GPU where there is one.

    Raises
    ------
    ValueError
        If the name is none, or this machine has no such device.
    """
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, index = name.partition(":")
    if kind != "cuda" or (colon and not index.isdecimal()):
        raise ValueError(f"{name!r} is no device; valid are auto, cpu, cuda, cuda:0, …")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        raise ValueError(f"{name!r}: this machine has {count} usable CUDA devices; use cpu or auto")
    return name
