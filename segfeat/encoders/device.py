"""Where encoders run: devices, the precision that suits the hardware, and transfers that overlap with work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import torch

_TF32_CAPABILITY, _FP16_CAPABILITY = (8, 0), (7, 0)
"""CUDA compute capabilities from which tensor cores multiply in these."""

_HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}
"""The second for those who measure (benchmarks/gpu.py)."""


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


def precision(device: torch.device) -> str:
    """What encoders multiply in: ``tf32`` or ``float16`` where the hardware has it, else ``float32``.

    tf32 (single precision of which products see 10 bits of the mantissa) before 16 bits: on an H200 it was faster at
    the batches that extraction has, for nothing is converted, and ten to twenty times closer to the CPU's features
    (benchmarks/gpu.py).
    """
    if device.type != "cuda":
        return "float32"
    capability = torch.cuda.get_device_capability(device)
    return "tf32" if capability >= _TF32_CAPABILITY else "float16" if capability >= _FP16_CAPABILITY else "float32"


@contextmanager
def arithmetic(device: torch.device) -> Iterator[None]:
    """Products in the precision of `precision`; on a CPU nothing changes.

    16 bits without the cache of converted weights: it is one for all threads, so that a thread could use weights that
    another one's queue on the GPU has yet to convert, or has freed already.
    """
    name = precision(device)
    if name == "tf32":
        with _TF32:
            yield
    elif name in _HALF:
        with torch.autocast(device.type, dtype=_HALF[name], cache_enabled=False):
            yield
    else:
        yield


class _Tf32:
    """torch's switch for TF32, which is one for all threads: on while any of them is inside, then as it was before."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, (False, False)

    def __enter__(self) -> None:
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        with self._lock:
            if not self._inside:
                self._before = matmul.allow_tf32, cudnn.allow_tf32
                matmul.allow_tf32 = cudnn.allow_tf32 = True
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._before


_TF32 = _Tf32()


def upload(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """The array on the device; to a GPU through pinned memory, so that the copy overlaps with the batch before it."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor
