"""Pictures by decord, for those who want it; a file that decord would read wrongly is refused with the reason.

decord counts pictures instead of reading timestamps, seeks by an index of its own and chooses its own stream. It is
compared here with PyAV's view of the container, and trusted only in the classes of files where it was measured right.
Sound and words come through PyAV: decord's sound leaks memory and drops start offsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from segfeat.decode.base import SLACK_S, Cue, DecodeError, Frame
from segfeat.decode.container import choose_video, open_container, packets
from segfeat.decode.display import Display
from segfeat.decode.integrity import starts_afresh
from segfeat.decode.pyav import PyAVReader
from segfeat.types import Float32, Float64, UInt8

_CONTAINERS = {"mov", "mp4", "matroska", "webm"}
"""Where its seeks were measured right; in MPEG-TS it loses the first group of pictures, in AVI it can be 25 off."""

_TIME_TOLERANCE_S = 1e-3


class DecordReader:
    """See `segfeat.decode.base.VideoReader`."""

    name = "decord"

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        try:
            import decord
        except ImportError as error:
            raise DecodeError("decoder_missing", f"{path}: decord is not installed; use the decoder auto") from error
        decord.logging.set_level(decord.logging.QUIET)
        self.path = path
        self._pyav = PyAVReader(path, pictures_only)
        self.info = self._pyav.info
        reason = _stored_reason(self._pyav)
        if not reason:
            try:
                self._pictures = decord.VideoReader(str(path), num_threads=1)
                reason = self._counted_reason()
            except (decord.DECORDError, RuntimeError) as error:
                reason = f"it does not open the file ({_first_line(error)})"
        if reason:
            raise DecodeError("decoder_refused", f"{path}: decord would get this file wrong: {reason}")
        self._error: type[Exception] = decord.DECORDError

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, one line each."""
        return self._pyav.problems

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """See `VideoReader.frames`."""
        times, display = self._pyav.request(times_s, short_side)
        return self._frames(times, Display(*display.size))

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """See `VideoReader.audio`."""
        return self._pyav.audio(spans_s, sample_rate)

    def cues(self) -> list[Cue]:
        """See `VideoReader.cues`."""
        return self._pyav.cues()

    def close(self) -> None:
        """See `VideoReader.close`."""
        self._pictures = None
        self._pyav.close()

    def _frames(self, times: Float64, display: Display) -> Iterator[Frame | None]:
        timeline, reformatter = self._pyav.timeline_s, VideoReformatter()
        numbers = np.clip(np.searchsorted(timeline, times + SLACK_S, "right") - 1, 0, None)
        latest, frame = -1, None
        for number in numbers.tolist():
            if number != latest:
                pixels = self._read(number)
                frame = None if pixels is None else Frame(float(timeline[number]), _scale(pixels, display, reformatter))
                latest = number
            yield frame

    def _read(self, number: int) -> UInt8 | None:
        try:
            pixels: UInt8 = self._pictures[number].asnumpy()
        except (self._error, RuntimeError) as error:
            self._pyav.damage.note("picture that decord cannot read", _first_line(error))
            return None
        return pixels

    def _counted_reason(self) -> str:
        """What decord's own account of the pictures gets wrong; empty if nothing."""
        timeline = self._pyav.timeline_s
        if len(self._pictures) != len(timeline):
            return f"it counts {len(self._pictures)} pictures of {len(timeline)}"
        times: Any = self._pictures.get_frame_timestamp(np.arange(len(timeline)))[:, 0]
        if np.abs(times - timeline).max() > _TIME_TOLERANCE_S:
            return "its times of pictures are not those of the container"
        height, width = self._pictures[0].shape[:2]
        if (width, height) != self._pyav.display.size:
            return f"it takes a stream of {width} x {height} pixels"
        return ""


def _stored_reason(reader: PyAVReader) -> str:
    """Why decord cannot be trusted with what the container holds; empty if it can."""
    table = reader.table
    with open_container(reader.path) as container:
        stream = choose_video(container, reader.path)
        names = set(container.format.name.split(","))
        sizes = [(s.width, s.height) for s in container.streams.video]
        aspect = stream.sample_aspect_ratio or 1
        keys = (packet for packet in packets(container, stream, reader.damage.note) if packet.is_keyframe)
        afresh = all(starts_afresh(packet, stream.codec_context) for packet in keys)
    if not names & _CONTAINERS:
        return f"its seeking in {'/'.join(sorted(names))} files goes astray"
    if reader.info.codec == "av1":
        return "it has no AV1 decoder"
    if not table.shown.all():
        return "an edit list hides some of the pictures"
    if not table.exact:
        return "timestamps are missing or repeated"
    if len(set(sizes)) != len(sizes):
        return "several video streams of one size, and it chooses its own"
    if aspect != 1:
        return "its pictures are not stretched to their sample aspect ratio"
    if reader.display.hdr:
        return "its pictures of high dynamic range are not mapped to the standard one"
    if reader.display.mirrored:
        return "its pictures are not mirrored"
    if not afresh:
        return "pictures lean on others across a keyframe (open groups), which it gets wrong after a seek"
    if reader.problems:
        return f"damage, which shifts its count of pictures ({reader.problems[0]})"
    return ""


def _scale(pixels: UInt8, display: Display, reformatter: VideoReformatter) -> UInt8:
    if pixels.shape[:2] == (display.height, display.width):
        return pixels
    return display.picture(av.VideoFrame.from_ndarray(pixels, "rgb24"), reformatter)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
