"""torch, where somebody has loaded it: its loops over numbers are several times faster than numpy's.

Nobody loads it for that alone: it takes longer to load than what it would be loaded for.
"""

from __future__ import annotations

import sys
from typing import Any


def loaded_torch() -> Any:
    """The module; None where nobody has loaded it, or somebody is loading it just now."""
    torch = sys.modules.get("torch")
    return None if torch is None or getattr(torch.__spec__, "_initializing", False) else torch
