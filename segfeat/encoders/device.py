"""Where encoders run: devices, half precision where the hardware has it, and transfers that overlap with work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy.typing as npt
import torch

_FP16_CAPABILITY = (7, 0)
"""CUDA compute capability from which half-precision arithmetic is faster than single (tensor cores)."""


def resolve_device(name: str) -> torch.device:
    """The device of ``auto``, ``cpu``, ``cuda`` or ``cuda:i``.

    Raises
    ------
    ValueError
        If the name is unknown or there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not (kind == "cuda" and index.isdecimal())):
        raise ValueError(f"unknown device {name!r}; valid are auto, cpu, cuda, cuda:0, cuda:1, …")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            raise ValueError(f"device {name!r}: this machine has {count} usable CUDA devices; auto or cpu always work")
    return torch.device(name)


def half_precision(device: torch.device) -> torch.dtype | None:
    """The half-precision type the hardware computes in natively; None on a CPU, where it would be slower.

    bfloat16 is preferred: it cannot overflow where single precision does not.
    """
    if device.type != "cuda":
        return None
    with torch.cuda.device(device):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float16 if torch.cuda.get_device_capability(device) >= _FP16_CAPABILITY else None


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products in half precision where `half_precision` has one; otherwise nothing changes.

    Without the cache of converted weights: it is one for all threads, so that a thread could use weights that another
    one's queue on the GPU has yet to convert, or has freed already.
    """
    dtype = half_precision(device)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype, cache_enabled=False)


def upload(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """The array on the device; to a GPU through pinned memory, so that the copy overlaps with the batch before it."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor
