"""Content of segments in a store: what kinds of it there are, and in which rows it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.store.reader import FeatureStore
from segmodel.data.views import UNKNOWN

CONTENT = ("visual", "audio", "text")
"""Content modalities; ``id`` is the remaining one."""


def segment_rows(
    store: FeatureStore | None,
    video: npt.NDArray[Any],
    segment: npt.NDArray[Any],
    mask: npt.NDArray[np.bool_] | bool = True,
) -> npt.NDArray[np.int64]:
    """Rows of segments in the store; UNKNOWN where it has no such segment, as when log and file disagree on N."""
    shape = np.broadcast_shapes(video.shape, segment.shape)
    if store is None:
        return np.full(shape, UNKNOWN, dtype=np.int64)
    first, count = store.offset[video], store.offset[video + 1] - store.offset[video]
    there = mask & (video != UNKNOWN) & (segment < count)
    return np.where(there, first + segment, UNKNOWN).astype(np.int64)
