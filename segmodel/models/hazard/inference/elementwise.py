"""Functions of each number of an array, in single precision.

By torch where anything has loaded it, in whose hands powers take a third of the time; loading it for one question would
take longer than the question. Both agree to rounding.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erf

from segfeat.loaded_torch import loaded_torch
from segfeat.types import Float32


def gelu(x: Float32) -> Float32:
    """x Φ(x), as :func:`torch.nn.functional.gelu`."""
    torch = loaded_torch()
    if torch is not None:
        through: Float32 = torch.nn.functional.gelu(torch.from_numpy(x)).numpy()
        return through
    found: Float32 = x * np.float32(0.5) * (1 + erf(x * np.float32(math.sqrt(0.5))))
    return found


def exp2_in_place(x: Float32) -> Float32:
    """2 to the power of each number, where the number was."""
    torch = loaded_torch()
    if torch is not None:
        torch.from_numpy(x).exp2_()
        return x
    return np.exp2(x, out=x)
