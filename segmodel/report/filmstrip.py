"""Pictures of a video's segments, small enough to live inside the page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from pathlib import Path

from segfeat.store.reader import FeatureStore
from segmodel.media.raw_video import open_raw_video
from segmodel.media.thumbnail import picture_times

_SHORT_SIDE = 96
_QUALITY = 60


def filmstrip(store: FeatureStore, video_id: str, videos: Path | None = None) -> list[str]:
    """One ``data:`` address of a WebP picture per segment, empty where there is none; no list without any picture.

    Parameters
    ----------
    store : FeatureStore
    video_id : str
    videos : path, optional
        Folder of raw videos; pictures that the store does not keep are then read from them.
    """
    if video_id not in store:
        return []
    video = store[video_id]
    if any(video.thumbnails):
        return [_address(picture) for picture in video.thumbnails]
    return _from_raw(store, video_id, videos) if videos is not None and video.path else []


def _from_raw(store: FeatureStore, video_id: str, videos: Path) -> list[str]:
    import numpy as np
    from PIL import Image

    times = picture_times(store[video_id])
    reader = open_raw_video(store, video_id, videos)
    frames = reader.frames(times[~np.isnan(times)], _SHORT_SIDE)
    found = []
    for time_s in times.tolist():
        frame = None if np.isnan(time_s) else next(frames)
        buffer = BytesIO()
        if frame is not None:
            Image.fromarray(frame.image).save(buffer, "WEBP", quality=_QUALITY)
        found.append(_address(buffer.getvalue()))
    return found


def _address(picture: bytes) -> str:
    return f"data:image/webp;base64,{b64encode(picture).decode()}" if picture else ""
