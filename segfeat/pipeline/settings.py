"""What a user chooses that decides a store's content, besides the encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from segfeat.decode import DECODERS
from segfeat.decode.subtitles import AUTO
from segfeat.segment import FRAME_POSITIONS, SEGMENT_S, segment_count
from segfeat.types import EncoderSpec, StoreHeader
from segfeat.words import DEFAULT_WORDS, Options, WordSource, load_sources, parse_words

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
    words : tuple of str
        Names in `segfeat.words.SOURCES`, as `segfeat.words.parse_words` gives them.
    subtitle_encoding : str
        Of subtitle files; ``auto`` finds it out.
    """

    segment_s: float = SEGMENT_S
    frames_per_segment: int = 1
    frame_position: str = "middle"
    id_from: str = "stem"
    decoder: str = "auto"
    thumbnails: bool = True
    words: tuple[str, ...] = DEFAULT_WORDS
    subtitle_encoding: str = AUTO

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
        object.__setattr__(self, "words", parse_words(self.words))
        if self.subtitle_encoding != AUTO:
            try:
                "".encode(self.subtitle_encoding)
            except LookupError as error:
                raise ValueError(
                    f"unknown encoding of subtitles {self.subtitle_encoding!r}; valid are auto, and the "
                    "names that Python knows, such as utf-8, gb18030, cp1252"
                ) from error

    def sources(self, device: str = "cpu") -> tuple[WordSource, ...]:
        """The sources of words, networks of which run on ``device``.

        Raises
        ------
        ValueError
            If a source's library or model cannot be had.
        """
        return load_sources(self.words, Options(self.subtitle_encoding, device))

    def header(self, encoders: Mapping[str, EncoderSpec]) -> StoreHeader:
        """The header of stores made with these settings and encoders; says where words come from if not as usual."""
        parameters = asdict(self)
        segment_s = parameters.pop("segment_s")
        usual = Settings()
        specs = dict(encoders)
        if (self.words, self.subtitle_encoding) == (usual.words, usual.subtitle_encoding):
            del parameters["words"], parameters["subtitle_encoding"]
        else:
            parameters["words"] = [source.description for source in self.sources()]
            if "text" in specs:
                pooling = f"{specs['text'].pooling}; words of {', '.join(self.words) or 'nobody'}"
                specs["text"] = replace(specs["text"], pooling=pooling)
        return StoreHeader(float(segment_s), parameters, specs)
