"""Layouts of sound channels, without asking the library for them.

PyAV frees the map of a custom channel order twice, whether its layout or merely its number of channels was asked for,
and walks past the end of the planes of eight and more channels. FFmpeg's own words about a file, and single planes, are
safe.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import av.logging
import numpy as np
from av.audio.plane import AudioPlane

from segfeat.types import Float32

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_SOUND = re.compile(r"Stream #\d+:(\d+).*?: Audio: .*?, \d+ Hz, ([^,\n]+)")

_COUNTS = {"mono": 1, "stereo": 2, "downmix": 2, "binaural": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}

_SAMPLES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}

_SAMPLE_RANGE = {"u1": (128.0, 128.0), "i2": (0.0, 2.0**15), "i4": (0.0, 2.0**31), "i8": (0.0, 2.0**63)}
"""Silence and full scale of integer samples, by NumPy type; floats are in [-1, 1] already."""


def describe(container: InputContainer) -> str:
    """FFmpeg's words for a file and its streams."""
    level, repeats = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.INFO)
    try:
        text: str = container.dumps_format()  # type: ignore[attr-defined]  # PyAV declares it for output alone
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(repeats)
    return text


def read_layouts(container: InputContainer) -> dict[int, str]:
    """FFmpeg's words for the channels of every audio stream, such as ``7.1`` or ``2 channels (FR+FL)``, by index."""
    text = describe(container)
    return {int(index): words.strip() for index, words in _SOUND.findall(text)}


def channel_count(words: str) -> int:
    """How many channels a layout has, by FFmpeg's words for it; 0 where they do not say."""
    if words in _COUNTS:
        return _COUNTS[words]
    if match := re.match(r"(\d+) channels", words):
        return int(match[1])
    return sum(map(int, re.findall(r"\d+", words.partition("(")[0])))


def set_plain_order(stream: AudioStream, words: str) -> None:
    """Tell a decoder that has not begun to count the channels and forget their custom order: their mean needs none."""
    if "channels (" in words:
        stream.codec_context.layout = f"{channel_count(words)} channels"


def to_mono(frame: AudioFrame) -> Float32:
    """The samples (n,) of a decoded frame as the mean of its channels, in [-1, 1]."""
    kind, count = frame.format.name.removesuffix("p"), frame.layout.nb_channels
    dtype = np.dtype(_SAMPLES[kind])
    if frame.format.is_planar:
        planes = [np.frombuffer(memoryview(AudioPlane(frame, i)), dtype, frame.samples) for i in range(count)]
        samples = np.stack(planes)
    else:
        samples = np.frombuffer(memoryview(AudioPlane(frame, 0)), dtype, frame.samples * count).reshape(-1, count).T
    middle, scale = _SAMPLE_RANGE.get(dtype.str[1:], (0.0, 1.0))
    return ((samples.mean(axis=0, dtype=np.float64) - middle) / scale).astype(np.float32)
