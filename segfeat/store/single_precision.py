"""Stored features in the precision that everybody computes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.loaded_torch import loaded_torch
from segfeat.types import Float32


def single(values: npt.NDArray[Any]) -> Float32:
    """Numbers as float32, exactly; the same array where they are that already."""
    torch = loaded_torch()
    if torch is None or values.dtype != np.float16 or not values.flags.writeable:
        return values.astype(np.float32, copy=False)
    found: Float32 = np.empty(values.shape, np.float32)
    torch.from_numpy(found).copy_(torch.from_numpy(values))
    return found
