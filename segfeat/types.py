"""The nouns that flow through segfeat, from raw media to stored features.

Array letters: F frames of a segment, H and W pixels, n sound samples, S segments of a video, D feature dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from segfeat.html import facts_html, strips_html

Modality = Literal["visual", "audio", "text"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Names = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Clip:
    """One segment's raw material, upright, in display proportions, on the video's own timeline.

    Attributes
    ----------
    start_s, end_s : float
        The half-open span [start_s, end_s) in seconds after the first picture.
    frames : uint8 (F, H, W, 3)
        RGB pictures on screen at the requested times; F = 0 where nothing could be decoded.
    frame_time_s : float64 (F,)
        Presentation times of those pictures, in seconds after the first picture.
    waveform : float32 (n,)
        Mono sound in [-1, 1], n = round((end_s - start_s) * sample_rate); n = 0 where the video has no sound here.
    sample_rate : int
        Samples a second of ``waveform``; 0 where no sound was asked for.
    text : str
        Title and the subtitles that overlap the span; empty where there are none.
    """

    start_s: float
    end_s: float
    frames: UInt8
    frame_time_s: Float64
    waveform: Float32
    sample_rate: int
    text: str


_SHOWN_SEGMENTS = 40
"""Segments of a video that a notebook shows: 200 s of the usual five."""

PER_VIDEO = "one vector a video, repeated over its segments"
"""How the pooling of features that cannot tell a video's segments apart begins."""


@dataclass(frozen=True)
class Line:
    """Words of a segment that belong together: a cue, a word that is said, a line on the screen.

    Attributes
    ----------
    start_s, end_s : float
        When they are said or shown, in seconds after the first picture; they may reach over the segment.
    text : str
    confidence : float
        Of a recogniser, in [0, 1]; NaN where nobody knows.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float = math.nan


@dataclass(frozen=True)
class EncoderSpec:
    """What makes two feature columns comparable: equal specs mean equal meaning of every dimension.

    Attributes
    ----------
    name : str
        The specification as a user writes it, such as ``open_clip:ViT-B-32@laion2b_s34b_b79k``.
    modality : {"visual", "audio", "text"}
    dim : int
        Number of feature dimensions D.
    model : str
        Architecture, in its library's own words.
    weights : str
        Where the weights came from and a hash of them, such as ``laion2b_s34b_b79k sha256:1f0c…``; ``none`` for
        descriptors that have no weights.
    pooling : str
        The rule from a segment's material to one vector, in words.
    """

    name: str
    modality: Modality
    dim: int
    model: str
    weights: str
    pooling: str

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ValueError(f"unknown modality {self.modality!r}; valid are {', '.join(MODALITIES)}")
        if self.dim < 1:
            raise ValueError(f"encoder {self.name!r}: dim must be positive, not {self.dim}")

    @property
    def per_video(self) -> bool:
        """Whether a video's segments all have the same vector, which then says nothing about any one of them."""
        return self.pooling.startswith(PER_VIDEO)

    def attributes(self) -> dict[str, Any]:
        """The spec as flat HDF5 attributes."""
        return asdict(self)

    def differences(self, other: EncoderSpec) -> list[str]:
        """Lines naming every field in which the two specs differ; empty where they are comparable."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{key}: {mine[key]!r} against {theirs[key]!r}" for key in mine if mine[key] != theirs[key]]


@dataclass(frozen=True)
class StoreHeader:
    """What decides a store's content besides the videos themselves: stores with equal headers may be merged."""

    segment_s: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    encoders: Mapping[str, EncoderSpec] = field(default_factory=dict)

    def differences(self, other: StoreHeader) -> list[str]:
        """Lines naming each setting in which the headers differ; empty where they agree."""
        lines = []
        if self.segment_s != other.segment_s:
            lines.append(f"segment_s: {self.segment_s:g} against {other.segment_s:g}")
        for key in sorted({*self.parameters, *other.parameters}):
            mine, theirs = self.parameters.get(key), other.parameters.get(key)
            if mine != theirs:
                lines.append(f"{key}: {mine!r} against {theirs!r}")
        for modality in MODALITIES:
            ours, others = self.encoders.get(modality), other.encoders.get(modality)
            if ours is None or others is None:
                if ours is not others:
                    names = [e.name if e else "none" for e in (ours, others)]
                    lines.append(f"{modality} encoder: {names[0]} against {names[1]}")
            else:
                lines += [f"{modality} encoder {line}" for line in ours.differences(others)]
        return lines


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """Everything the store keeps about one video.

    Attributes
    ----------
    video_id : str
    duration_s : float
        Length of the picture in seconds; 0 where nobody knows it, and then there are no segments.
    spans_s : float64 (S, 2)
        Half-open segment spans that tile [0, duration_s).
    features : dict of modality to float (S, D)
    valid : dict of modality to bool (S,)
        False where the segment has no such material (no sound, no text); the zeros there mean nothing.
    path : str
        Path relative to the scanned root; empty for videos that came from a log alone.
    title : str
        What the metadata says about the video; empty where there is none.
    status : {"ok", "partial"}
        ``partial``: some of the material could not be decoded.
    decoder : str
        Which decoder read the video; empty where none did.
    frame_time_s : float64 (S, F)
        Presentation times of the pictures used, NaN where there was none; F = 0 for imported stores.
    segment_text : tuple of str
        The words of each segment (title, subtitles); empty strings where there are none.
    thumbnails : tuple of bytes
        One small WebP per segment, or empty.
    size_bytes, mtime_ns : int
        Of the source file when it was read; 0 where there was none.
    problems : str
        What could not be read of a partial video, in words.
    words : mapping of kind to tuple of tuples of Line
        The words of each segment by their source (``subtitles``, ``speech``, ``screen``); absent where it was not read.
    attributes : mapping of name to tuple of str
        Its categories of each categorical attribute: author, tags, music; see `segfeat.attribute.Attribute`.
    """

    video_id: str
    duration_s: float
    spans_s: Float64
    features: dict[str, npt.NDArray[Any]]
    valid: dict[str, Bool]
    path: str = ""
    title: str = ""
    status: str = "ok"
    decoder: str = ""
    frame_time_s: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    segment_text: tuple[str, ...] = ()
    thumbnails: tuple[bytes, ...] = ()
    size_bytes: int = 0
    mtime_ns: int = 0
    problems: str = ""
    words: Mapping[str, tuple[tuple[Line, ...], ...]] = field(default_factory=dict)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        columns = ", ".join(f"{m} {v.shape[1]}-d" for m, v in self.features.items()) or "no features"
        return f"<VideoFeatures {self.video_id!r}: {self.duration_s:.2f} s, {len(self.spans_s)} segments; {columns}>"

    def _repr_html_(self) -> str:
        facts = {
            "video": self.video_id,
            "title": self.title,
            "length": f"{self.duration_s:.2f} s",
            "status": self.status + (f": {self.problems}" if self.problems else ""),
            **{name: ", ".join(categories) for name, categories in self.attributes.items()},
        }
        shown = slice(_SHOWN_SEGMENTS)
        strips: dict[str, Sequence[str | bytes]] = {"": [f"{a:g}–{b:g} s" for a, b in self.spans_s[shown].tolist()]}
        if self.thumbnails:
            strips["picture"] = self.thumbnails[shown]
        for modality, valid in self.valid.items():
            strips[f"{modality} {self.features[modality].shape[1]}-d"] = ["✓" if has else "–" for has in valid[shown]]
        if any(self.segment_text):
            strips["words"] = self.segment_text[shown]
        left = max(0, len(self.spans_s) - _SHOWN_SEGMENTS)
        return facts_html(facts) + strips_html(strips) + (f"<p>and {left:,} more segments</p>" if left else "")

    @property
    def visual(self) -> npt.NDArray[Any]:
        """(S, D) visual features; KeyError where the store has none."""
        return self.features["visual"]

    @property
    def audio(self) -> npt.NDArray[Any]:
        """(S, D) audio features; KeyError where the store has none."""
        return self.features["audio"]

    @property
    def text(self) -> npt.NDArray[Any]:
        """(S, D) text features; KeyError where the store has none. The words themselves are ``segment_text``."""
        return self.features["text"]
