"""One video of a world as a real file: H.264 pictures, AAC sound, subtitles beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from .scenes import SCENES
from .simulation import SEGMENT_MS, World
from .sound import SAMPLE_RATE, play
from .topics import TOPICS
from .words import spoken, srt, title

SIZE = (144, 256)
"""Width and height in pixels: a phone held upright."""

PICTURES_PER_S = 10

_AAC_FRAME = 1024


@dataclass(frozen=True)
class Script:
    """What one video shows: enough to film it in another process.

    Attributes
    ----------
    video_id : str
    topics : tuple of int (N,)
        Topic of each segment.
    duration_ms : int
    has_sound, has_title, has_subtitles : bool
    seed : (int, int)
        The world's seed and the video's code.
    """

    video_id: str
    topics: tuple[int, ...]
    duration_ms: int
    has_sound: bool
    has_title: bool
    has_subtitles: bool
    seed: tuple[int, int]

    @property
    def spans_s(self) -> list[tuple[float, float]]:
        """Start and end of each segment in seconds."""
        last = len(self.topics) - 1
        return [
            (i * SEGMENT_MS / 1000, (self.duration_ms if i == last else (i + 1) * SEGMENT_MS) / 1000)
            for i in range(last + 1)
        ]


def scripts(world: World) -> list[Script]:
    """The scripts of all videos of a world, in the order of ``world.video_id``."""
    return [
        Script(
            video_id=world.video_id[v],
            topics=tuple(int(t) for t in world.segment_topic[v, :n]),
            duration_ms=int(world.duration_ms[v]),
            has_sound=bool(world.has_sound[v]),
            has_title=bool(world.has_title[v]),
            has_subtitles=bool(world.has_subtitles[v]),
            seed=(world.config.seed, v),
        )
        for v, n in enumerate(world.n_segments)
    ]


def film(script: Script, folder: Path) -> str:
    """Write ``<video_id>.mp4`` (and ``.srt``) into a folder; return the title, empty where there is none."""
    look, hear, say = (np.random.default_rng([*script.seed, stream]) for stream in range(3))
    _encode(script, folder / f"{script.video_id}.mp4", look, hear)
    name = title(TOPICS[max(set(script.topics), key=script.topics.count)], say)
    if script.has_subtitles:
        cues = [
            (start_s + 0.1 * (end_s - start_s), end_s - 0.1 * (end_s - start_s), spoken(TOPICS[k], say))
            for k, (start_s, end_s) in zip(script.topics, script.spans_s, strict=True)
        ]
        (folder / f"{script.video_id}.srt").write_text(srt(cues), encoding="utf-8")
    return name if script.has_title else ""


def _encode(script: Script, path: Path, look: np.random.Generator, hear: np.random.Generator) -> None:
    """Pictures and sound, segment by segment; the index stands in front so that a browser starts at once."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        # No B-frames: timestamps start at 0 without an edit list. One thread: the same bytes on every machine.
        quality = {"preset": "veryfast", "crf": "29", "bf": "0", "g": str(5 * PICTURES_PER_S), "threads": "1"}
        video = container.add_stream("libx264", rate=PICTURES_PER_S, options=quality)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.time_base = Fraction(1, PICTURES_PER_S)
        audio = None
        if script.has_sound:
            audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
            audio.bit_rate = 32_000
        for i, picture in enumerate(_pictures(script, look)):
            frame = av.VideoFrame.from_image(picture)
            frame.pts = i
            frame.time_base = Fraction(1, PICTURES_PER_S)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            sound = _sound(script, hear)
            for start in range(0, len(sound), _AAC_FRAME):
                chunk = av.AudioFrame.from_ndarray(
                    sound[None, start : start + _AAC_FRAME], format="fltp", layout="mono"
                )
                chunk.sample_rate = SAMPLE_RATE
                chunk.pts = start
                container.mux(audio.encode(chunk))
            container.mux(audio.encode(None))


def _pictures(script: Script, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Every picture of a video; neighbouring segments of one topic are one scene that goes on."""
    segments = zip(script.topics, script.spans_s, strict=True)
    for topic, shot in groupby(segments, key=lambda segment: segment[0]):
        scene = SCENES[TOPICS[topic].name](rng, SIZE)
        spans = [span for _, span in shot]
        for i in range(round((spans[-1][1] - spans[0][0]) * PICTURES_PER_S)):
            yield scene(i / PICTURES_PER_S)


def _sound(script: Script, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    pieces = zip(script.topics, script.spans_s, strict=True)
    return np.concatenate([play(TOPICS[k].voice, end_s - start_s, rng) for k, (start_s, end_s) in pieces])
