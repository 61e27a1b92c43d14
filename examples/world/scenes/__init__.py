"""Moving pictures, one scene for each topic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import Scene
from .city import city
from .desert import desert
from .forest import forest
from .garden import garden
from .kitchen import kitchen
from .neon import neon
from .sea import sea
from .snow import snow

SCENES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Scene]] = {
    "sea": sea,
    "city": city,
    "forest": forest,
    "kitchen": kitchen,
    "neon": neon,
    "snow": snow,
    "garden": garden,
    "desert": desert,
}
"""Topic name to a function that sets a scene of (width, height) pixels, with its own variation by the generator."""
