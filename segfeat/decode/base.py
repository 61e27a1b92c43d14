"""What every video reader promises: the nouns, the protocol and the one error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from segfeat.failures import FAILURE_CODES
from segfeat.types import Float32, Float64, UInt8

NEAR_S = 1.0
"""A picture that cannot be decoded is replaced by a neighbour at most this far away, in seconds."""

SLACK_S = 1e-6
"""Times are floats and timestamps fractions: a picture counts as on screen up to this much before its timestamp."""


class DecodeError(Exception):
    """A video that cannot be read at all.

    Attributes
    ----------
    code : str
        One of `segfeat.failures.FAILURE_CODES`.
    message : str
        The reason in words, naming the file.
    """

    def __init__(self, code: str, message: str) -> None:
        if code not in FAILURE_CODES:
            raise ValueError(f"unknown failure code {code!r}; valid are {', '.join(FAILURE_CODES)}")
        super().__init__(code, message)  # both as arguments, so that the error survives a trip between processes
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, before any of it is used.

    Attributes
    ----------
    duration_s : float
        From the moment the first picture of the chosen video stream comes on screen to the moment the last one leaves
        it; positive.
    width, height : int
        Of the picture as displayed, after sample aspect ratio and rotation.
    rotation_deg : int
        Clockwise turn that sets the stored picture upright: 0, 90, 180 or 270.
    codec : str
        Such as ``h264``.
    fps : float
        Average pictures a second.
    has_audio : bool
    audio_codec : str
        Such as ``aac``; empty without sound.
    audio_sample_rate : int
        In Hz; 0 without sound.
    has_subtitles : bool
        Whether there is an embedded text track.
    """

    duration_s: float
    width: int
    height: int
    rotation_deg: int
    codec: str
    fps: float
    has_audio: bool
    audio_codec: str
    audio_sample_rate: int
    has_subtitles: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture: its presentation time in seconds after the first one, and its pixels, uint8 (H, W, 3) RGB."""

    time_s: float
    image: UInt8


@dataclass(frozen=True)
class Cue:
    """Words on screen during [start_s, end_s), in seconds after the first picture."""

    start_s: float
    end_s: float
    text: str


class VideoReader(Protocol):
    """Reads one video file; the timeline starts at the first picture.

    Opening fails with `DecodeError`. Reading does not: what cannot be decoded is left out and noted in ``problems``,
    which grows while reading; a video with problems is a partial one.
    """

    name: str
    info: MediaInfo

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, one line each."""

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """The pictures on screen at ascending times, one for each.

        On screen at t is the picture with the largest presentation timestamp not after t; before the first one the
        first, after the end the last. Where that picture cannot be decoded, the last decodable one before it stands in
        (at the beginning, the first after it) if their timestamps are at most `NEAR_S` apart, otherwise None. The
        same `Frame` is given for times that share a picture.

        Parameters
        ----------
        times_s : (K,)
            Ascending times in seconds after the first picture.
        short_side : int, optional
            Scale (bicubic) so that the shorter side of the displayed picture has this many pixels; a smaller picture
            is not enlarged. Without it the displayed size.

        Raises
        ------
        ValueError
            If the times do not ascend or ``short_side`` is below 1.
        """

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """The sound of spans, mono (mean of the channels), on the picture's timeline.

        Parameters
        ----------
        spans_s : (N, 2)
            Half-open spans in seconds, ascending in start.
        sample_rate : int
            Samples a second wanted.

        Yields
        ------
        float32 (n,)
            n = round((end - start) * sample_rate), silent where the sound starts late, ends early or has a hole; n = 0
            for a span that holds no sound at all.

        Raises
        ------
        ValueError
            If the starts do not ascend or the rate is below 1.
        """

    def cues(self) -> list[Cue]:
        """The embedded text track's cues by start; empty without one."""

    def close(self) -> None:
        """Let go of the file."""
