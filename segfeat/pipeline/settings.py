"""What a user chooses that decides a store's content, besides the encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from segfeat.decode import DECODERS
from segfeat.segment import FRAME_POSITIONS, SEGMENT_S, segment_count
from segfeat.types import EncoderSpec, StoreHeader

ID_RULES = ("stem", "path")
"""Where a video's id comes from: its file name without suffix, or its path relative to the scanned root."""


@dataclass(frozen=True)
class Settings:
    """How videos are cut and read; equal settings and encoders give equal features.

    Attributes
    ----------
    segment_s : float
        Segment length in seconds.
    frames_per_segment : int
    frame_position : {"middle", "start"}
    id_from : {"stem", "path"}
    decoder : str
        A name in `segfeat.decode.DECODERS`.
    thumbnails : bool
        Whether a small picture of every segment is kept.
    """

    segment_s: float = SEGMENT_S
    frames_per_segment: int = 1
    frame_position: str = "middle"
    id_from: str = "stem"
    decoder: str = "auto"
    thumbnails: bool = True

    def __post_init__(self) -> None:
        segment_count(1.0, self.segment_s)
        if self.frames_per_segment < 1:
            raise ValueError(f"frames per segment must be at least 1, not {self.frames_per_segment}")
        for what, value, valid in (
            ("frame position", self.frame_position, FRAME_POSITIONS),
            ("id rule", self.id_from, ID_RULES),
            ("decoder", self.decoder, DECODERS),
        ):
            if value not in valid:
                raise ValueError(f"unknown {what} {value!r}; valid are {', '.join(valid)}")

    def header(self, encoders: Mapping[str, EncoderSpec]) -> StoreHeader:
        """The header of stores made with these settings and encoders."""
        parameters = asdict(self)
        segment_s = parameters.pop("segment_s")
        return StoreHeader(float(segment_s), parameters, dict(encoders))
