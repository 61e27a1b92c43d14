"""Reading videos: pictures, sound and words on one timeline, by presentation timestamp.

`open_video` gives a `VideoReader`; `probe` only says what a file holds. Both fail with `DecodeError`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from segfeat.decode.base import Cue, DecodeError, Frame, MediaInfo, VideoReader

__all__ = [
    "DECODERS",
    "Cue",
    "DecodeError",
    "Frame",
    "MediaInfo",
    "VideoReader",
    "open_video",
    "probe",
]

DECODERS: dict[str, str] = {
    "auto": "segfeat.decode.pyav:PyAVReader",
    "pyav": "segfeat.decode.pyav:PyAVReader",
    "decord": "segfeat.decode.decord:DecordReader",
}
"""Names of decoders to ``module:class``; ``auto`` is PyAV, the one that reads every file right."""


def open_video(path: str | Path, decoder: str = "auto", pictures_only: bool = False) -> VideoReader:
    """Open a video file for reading.

    Parameters
    ----------
    path : path of a local file
    decoder : name in `DECODERS`
    pictures_only : whether sound and embedded words are left alone, as if there were none

    Raises
    ------
    ValueError
        If the decoder is unknown.
    DecodeError
        If the file cannot be read by this decoder; its ``code`` says why.
    """
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder {decoder!r}; valid are {', '.join(DECODERS)}")
    module, _, name = DECODERS[decoder].partition(":")
    reader: VideoReader = getattr(import_module(module), name)(Path(path), pictures_only)
    return reader


def probe(path: str | Path) -> MediaInfo:
    """What a file holds: reads its packets and decodes one picture.

    Raises
    ------
    DecodeError
        As `open_video` does.
    """
    reader = open_video(path)
    try:
        return reader.info
    finally:
        reader.close()
