"""A store's tables as DataFrames, a piece of the store at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from segfeat.attribute import Attribute
    from segfeat.store.reader import FeatureStore

CHUNK_SEGMENTS = 50_000
"""About as many segments are in memory at once: 150 MB of 768 numbers each."""


def pieces(store: FeatureStore, segments: int = CHUNK_SEGMENTS) -> Iterator[slice]:
    """Runs of video rows that have about so many segments together, in order."""
    start = 0
    while start < len(store):
        stop = int(np.searchsorted(store.offset, store.offset[start] + segments, side="right")) - 1
        stop = min(max(stop, start + 1), len(store))
        yield slice(start, stop)
        start = stop


def segment_frame(store: FeatureStore, videos: slice = slice(None)) -> pd.DataFrame:
    """One row a segment: columns ``video_id, segment, start_s, end_s, words``.

    Parameters
    ----------
    store : FeatureStore
    videos : slice of rows of ``/videos``
    """
    import pandas as pd

    offset = store.offset[videos.start : None if videos.stop is None else videos.stop + 1]
    rows = slice(int(offset[0]), int(offset[-1]))
    sizes = np.diff(offset)
    spans_s = np.asarray(store.spans_s[rows])
    return pd.DataFrame(
        {
            "video_id": np.repeat(store.video_ids[videos], sizes),
            "segment": np.arange(rows.start, rows.stop) - np.repeat(offset[:-1], sizes),
            "start_s": spans_s[:, 0],
            "end_s": spans_s[:, 1],
            "words": store.segment_text[rows],
        }
    )


def feature_frame(store: FeatureStore, modality: str) -> pd.DataFrame:
    """`segment_frame` and the D features of a modality as columns ``visual_0 … visual_{D-1}``: NaN where invalid.

    Raises
    ------
    ValueError
        If the store has no such modality.
    """
    import pandas as pd

    values, valid = store.gather(modality, np.arange(store.segment_total))
    values[~valid] = np.nan
    columns = pd.DataFrame(values, columns=[f"{modality}_{k}" for k in range(values.shape[1])])
    return pd.concat([segment_frame(store), columns], axis=1)


def video_frame(store: FeatureStore, videos: slice = slice(None)) -> pd.DataFrame:
    """One row a video: ``video_id, duration_s, segments, path, title, status, problems, decoder`` and its attributes.

    Attributes are columns of lists, named as they are.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {
            "video_id": store.video_ids[videos],
            "duration_s": store.duration_s[videos],
            "segments": np.diff(store.offset)[videos],
            "path": store.paths[videos],
            "title": store.titles[videos],
            "status": store.status[videos],
            "problems": store.problems[videos],
            "decoder": store.decoders[videos],
        }
    )
    return _with_attributes(frame, store.video_attributes, range(len(store))[videos])


def user_frame(store: FeatureStore) -> pd.DataFrame:
    """One row a user of whom something is known: ``user_id`` and each attribute as a column of lists."""
    import pandas as pd

    frame = pd.DataFrame({"user_id": store.users.ids})
    return _with_attributes(frame, store.user_attributes, range(len(frame)))


def _with_attributes(frame: pd.DataFrame, attributes: Mapping[str, Attribute], rows: range) -> pd.DataFrame:
    for name, attribute in attributes.items():
        frame[f"attribute {name}" if name in frame else name] = [list(attribute[row]) for row in rows]
    return frame
