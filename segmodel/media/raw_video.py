"""Where the file of a stored video lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segfeat.store.reader import FeatureStore

if TYPE_CHECKING:
    from segfeat.decode.pyav import PyAVReader


def raw_video(store: FeatureStore, video_id: str, videos: str | Path | None = None) -> Path:
    """The file behind a video of a store.

    Parameters
    ----------
    store : FeatureStore
    video_id : str
    videos : path, optional
        The folder that paths in the store are relative to; default: the one the store was extracted from.

    Raises
    ------
    ValueError
        If the video is not in the store, never had a file, or the file is not where it should be.
    """
    row = store.rows.get(video_id)
    if row is None:
        raise ValueError(f"{store.path}: no video {video_id!r}")
    relative = str(store.paths[row])
    if not relative:
        raise ValueError(f"{store.path}: video {video_id!r} came from a log and has no raw video")
    if videos is None and not store.root:
        raise ValueError(f"{store.path} does not know where its videos lie; name their folder with --videos ROOT")
    path = Path(videos or store.root) / relative
    if not path.is_file():
        raise ValueError(f"{path}: the raw video of {video_id!r} is not there; name its folder with --videos ROOT")
    return path


def open_raw_video(store: FeatureStore, video_id: str, videos: str | Path | None = None) -> PyAVReader:
    """The file behind a video of a store, opened; arguments and errors as above.

    Raises
    ------
    ValueError
        Also if the file cannot be read as a video.
    """
    from segfeat.decode import DecodeError
    from segfeat.decode.pyav import PyAVReader

    path = raw_video(store, video_id, videos)
    try:
        return PyAVReader(path)
    except DecodeError as error:
        raise ValueError(str(error)) from error
