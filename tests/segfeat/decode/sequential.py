"""The reference: every picture of a stream decoded in order, and the one on screen by presentation timestamp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from segfeat.decode.display import read_display


@dataclass(frozen=True)
class Sequence:
    """What a plain decode gives: times (P,) in seconds after the first picture, and the pictures, both by time."""

    times_s: Any
    images: list[Any]

    def on_screen(self, time_s: float) -> int:
        """Index of the picture on screen."""
        return max(0, int(np.searchsorted(self.times_s, time_s + 1e-6, "right")) - 1)


def decode_sequentially(path: Path, stream_index: int, fps: float, short_side: int | None = None) -> Sequence:
    """Feed all packets of a stream to one decoder, go on after errors; pictures lacking a time follow at ``fps``."""
    stamped: list[tuple[Any, Any]] = []
    with av.open(str(path)) as container:
        stream = container.streams[stream_index]
        stream.codec_context.thread_count = 1
        frames, starts = [], []
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                starts.append(packet.pts)
            try:
                frames += packet.decode()
            except av.FFmpegError:
                continue
        display, reformatter = None, VideoReformatter()
        for index, frame in enumerate(frames):
            display = display or read_display(frame, stream.sample_aspect_ratio).scaled(short_side)
            stamp = frame.pts if frame.pts is not None else frame.dts
            when = index / fps if stamp is None else float(stamp * stream.time_base)
            stamped.append((when, display.picture(frame, reformatter)))
        stamped.sort(key=lambda pair: pair[0])
        zero = stamped[0][0] if None in starts else float(min(starts) * stream.time_base)
    return Sequence(np.array([when for when, _ in stamped]) - zero, [image for _, image in stamped])
