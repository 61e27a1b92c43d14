"""Personal thumbnails: the picture of the segment that a user would like best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.segment import frame_times
from segfeat.store.reader import FeatureStore
from segfeat.types import Float64, VideoFeatures
from segfeat.whole import whole_file
from segmodel.media.raw_video import open_raw_video
from segmodel.runs.predictor import PairPredictions

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Thumbnail:
    """Which picture of a video to show a user.

    Attributes
    ----------
    user_id, video_id : str
    segment : int
        The one of highest interest.
    interest : float
    time_s : float
        Presentation time of its picture, in seconds after the first one.
    """

    user_id: str
    video_id: str
    segment: int
    interest: float
    time_s: float


def choose_thumbnails(found: PairPredictions, store: FeatureStore) -> Iterator[Thumbnail]:
    """The thumbnail of each pair: the segment of highest interest, of equal ones the first.

    The picture is the one that the store's features were made from (of several the middle one), so that it shows what
    the model saw. Segments of which no picture could be decoded are passed over.

    Raises
    ------
    ValueError
        If a video is not in the store or none of its pictures could be decoded.
    """
    views, prediction = found.views, found.prediction
    for i in range(len(views)):
        video_id = str(views.video_ids[views.video[i]])
        if video_id not in store:
            raise ValueError(f"{store.path}: no video {video_id!r}")
        time_s = picture_times(store[video_id])[: views.segments[i]]
        interest = np.where(np.isnan(time_s), -np.inf, prediction.interest[i, : len(time_s)])
        best = int(interest.argmax())
        if np.isnan(time_s[best]):
            raise ValueError(f"{store.path}: no picture of video {video_id!r} could be decoded")
        user_id = str(views.user_ids[views.user[i]])
        yield Thumbnail(user_id, video_id, best, float(interest[best]), float(time_s[best]))


def picture_times(video: VideoFeatures) -> Float64:
    """(S,) time of the picture that stands for each segment; NaN where none could be decoded."""
    times = video.frame_time_s if video.frame_time_s.shape[1] else frame_times(video.spans_s)
    middle: Float64 = times[:, times.shape[1] // 2]
    return middle


def write_thumbnail(
    thumbnail: Thumbnail, store: FeatureStore, path: str | Path, videos: str | Path | None = None
) -> Image:
    """Write the picture in full size, in the format of the file's name (.png, .jpg, .webp), and return it.

    Raises
    ------
    ValueError
        As :func:`read_thumbnail`, or if the file's name has no suffix of a picture format.
    """
    from PIL import Image

    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ValueError(f"{path}: name the picture .png, .jpg or .webp")
    picture = read_thumbnail(thumbnail, store, videos)
    with whole_file(path) as temporary:
        picture.save(temporary, kind)
    return picture


def read_thumbnail(thumbnail: Thumbnail, store: FeatureStore, videos: str | Path | None = None) -> Image:
    """The picture in full size.

    Raises
    ------
    ValueError
        If the raw video is missing or cannot be read.
    """
    from PIL import Image

    reader = open_raw_video(store, thumbnail.video_id, videos)
    frame = next(reader.frames([thumbnail.time_s]))
    if frame is None:
        raise ValueError(f"{reader.path}: the picture at {thumbnail.time_s:.3f} s cannot be decoded")
    return Image.fromarray(frame.image)
