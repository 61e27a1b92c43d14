"""Personal previews: the stretch of a video that a user would like best, as a small film with sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Float32, Float64
from segfeat.whole import whole_file
from segmodel.media.raw_video import open_raw_video
from segmodel.runs.predictor import PairPredictions

if TYPE_CHECKING:
    from segfeat.decode.pyav import PyAVReader

_TICK = Fraction(1, 90_000)
_SOUND_HZ = 48_000
_SOUND_BLOCK = 1024
_BT709, _LIMITED = 1, 1
"""FFmpeg's codes of a colour space that every browser assumes, and of its range."""


@dataclass(frozen=True)
class PreviewClip:
    """Which stretch [start_s, end_s) of a video to show a user, and the mean interest in it."""

    user_id: str
    video_id: str
    start_s: float
    end_s: float
    interest: float


def choose_previews(found: PairPredictions, seconds: float) -> Iterator[PreviewClip]:
    """The preview of each pair: see :func:`best_stretch`.

    Raises
    ------
    ValueError
        If ``seconds`` is not positive.
    """
    views, prediction = found.views, found.prediction
    for i in range(len(views)):
        n = int(views.segments[i])
        edges = np.append(np.arange(n) * views.segment_s, views.picture_s[i])
        start, end, interest = best_stretch(prediction.interest[i, :n], edges, seconds)
        yield PreviewClip(
            str(views.user_ids[views.user[i]]), str(views.video_ids[views.video[i]]), start, end, interest
        )


def best_stretch(interest: Float64, edges_s: Float64, seconds: float) -> tuple[float, float, float]:
    """The stretch of consecutive segments, ``seconds`` long, with the highest mean interest.

    Interest is constant inside a segment, so that the best stretch begins or ends at an edge of a segment; of equal
    ones the first is taken. A shorter video is taken whole.

    Parameters
    ----------
    interest : float (S,)
    edges_s : float (S + 1,)
        Where segments begin, and the end of the last.
    seconds : float

    Returns
    -------
    start_s, end_s, mean interest

    Raises
    ------
    ValueError
        If ``seconds`` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"a preview must be longer than {seconds:g} s")
    length = min(seconds, float(edges_s[-1]))
    area = np.concatenate([[0.0], np.cumsum(interest * np.diff(edges_s))])
    starts = np.unique(np.clip(np.concatenate([edges_s[:-1], edges_s[1:] - length]), 0.0, edges_s[-1] - length))
    mean = (np.interp(starts + length, edges_s, area) - np.interp(starts, edges_s, area)) / length
    best = int(np.flatnonzero(mean >= mean.max() - 1e-9)[0])
    return float(starts[best]), float(starts[best] + length), float(mean[best])


def write_preview(
    preview: PreviewClip, store: FeatureStore, path: str | Path, videos: str | Path | None = None
) -> None:
    """Write the stretch as an MP4 that browsers play: H.264 (yuv420p) and AAC, upright, index first.

    Picture and sound keep their distance; sound is mixed to one channel.

    Raises
    ------
    ValueError
        If the raw video is missing or cannot be read, or no picture of the stretch can be decoded.
    """
    import av

    reader = open_raw_video(store, preview.video_id, videos)
    sound = next(reader.audio(np.array([[preview.start_s, preview.end_s]]), _SOUND_HZ))
    with whole_file(path) as temporary:
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            # Both streams must exist before the first packet is written.
            picture, tone = _picture_stream(container, reader), _sound_stream(container) if len(sound) else None
            blocks = _sound(tone, sound) if tone else iter(())
            for _, packets in merge(_pictures(picture, reader, preview), blocks, key=itemgetter(0)):
                container.mux(packets)
            shown = picture.frames
        if not shown:
            raise ValueError(
                f"{reader.path}: no picture from {preview.start_s:g} to {preview.end_s:g} s can be decoded"
            )


def _picture_stream(container: Any, reader: PyAVReader) -> Any:
    info = reader.info
    stream = container.add_stream("libx264", rate=round(info.fps) or 25, options={"preset": "fast", "crf": "20"})
    stream.width, stream.height = info.width - info.width % 2, info.height - info.height % 2
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base, context.thread_count = _TICK, 1
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _sound_stream(container: Any) -> Any:
    stream = container.add_stream("aac", rate=_SOUND_HZ, layout="mono")
    stream.bit_rate = 128_000
    return stream


def _pictures(stream: Any, reader: PyAVReader, preview: PreviewClip) -> Iterator[tuple[float, list[Any]]]:
    """Encoded pictures with the time they were reached at, in seconds after the start of the preview."""
    import av

    time_s = 0.0
    for time_s, image in _shown(reader, preview):
        image = np.ascontiguousarray(image[: stream.height, : stream.width])
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts, frame.time_base = round(time_s / _TICK), _TICK
        yield time_s, stream.encode(frame)
    yield time_s, stream.encode(None)


def _shown(reader: PyAVReader, preview: PreviewClip) -> Iterator[tuple[float, Any]]:
    """Pictures of the stretch with their times after its start; the one on screen at the start comes at 0."""
    inside = reader.timeline_s
    inside = inside[(inside > preview.start_s + 1e-6) & (inside < preview.end_s - 1e-6)]
    times = np.concatenate([[preview.start_s], inside])
    last = None
    for time_s, frame in zip(times.tolist(), reader.frames(times), strict=True):
        # A picture that cannot be decoded stays away; the one before stays on screen.
        if frame is not None and frame is not last:
            yield time_s - preview.start_s, frame.image
            last = frame


def _sound(stream: Any, samples: Float32) -> Iterator[tuple[float, list[Any]]]:
    """Encoded sound with the time each block begins at, in seconds."""
    import av

    for at in range(0, len(samples), _SOUND_BLOCK):
        block = np.ascontiguousarray(samples[None, at : at + _SOUND_BLOCK])
        frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_HZ, at, Fraction(1, _SOUND_HZ)
        yield at / _SOUND_HZ, stream.encode(frame)
    yield len(samples) / _SOUND_HZ, stream.encode(None)
