"""From a decoded picture to the one people see: sample aspect ratio, scaling, rotation, RGB of standard range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from segfeat.decode.tone import is_hdr, to_standard_range
from segfeat.types import UInt8

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_FLAGS = 0x4 | 0x40000 | 0x2000
"""swscale's SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT: exact rounding, and chroma at full width.

PyAV 17 has no names for the last two.
"""

_MAX_SAMPLE_ASPECT = 8
"""A more extreme sample aspect ratio is a damaged header and counts as 1."""


@dataclass(frozen=True)
class Display:
    """How a stream's pictures are shown.

    Attributes
    ----------
    width, height : int
        Of the stored picture with square pixels, before it is turned upright.
    transposed, mirror_x, mirror_y : bool
        To set the picture upright: swap its axes, then mirror it left-right and top-bottom.
    stored : (int, int)
        Width and height of the decoded picture.
    hdr : bool
        Whether it has a high dynamic range (PQ or HLG), which is mapped to the standard one.
    """

    width: int
    height: int
    transposed: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    stored: tuple[int, int] = (0, 0)
    hdr: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Displayed (width, height)."""
        return (self.height, self.width) if self.transposed else (self.width, self.height)

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that sets the picture upright, in degrees; a mirror image counts as its turn alone."""
        if self.transposed:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether it takes more than a turn to set the picture upright."""
        return (self.transposed + self.mirror_x + self.mirror_y) % 2 == 1

    def scaled(self, short_side: int | None) -> Display:
        """The same, with the shorter side ``short_side`` pixels long; never enlarged."""
        short, long = sorted((self.width, self.height))
        if short_side is None or short <= short_side:
            return self
        other = max(1, round(long * short_side / short))
        width, height = (short_side, other) if self.width <= self.height else (other, short_side)
        return replace(self, width=width, height=height)

    def picture(self, frame: VideoFrame, reformatter: VideoReformatter) -> UInt8:
        """RGB pixels (H, W, 3) of a decoded frame as displayed."""
        kind = "rgb48le" if is_hdr(frame) else "rgb24"
        flat = reformatter.reformat(frame, self.width, self.height, kind, interpolation=_FLAGS, threads=1)
        image = flat.to_ndarray()
        if is_hdr(frame):
            image = to_standard_range(image, int(frame.color_trc), int(frame.color_primaries))
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image, np.uint8)


def read_display(frame: VideoFrame, sample_aspect: Fraction | None) -> Display:
    """Take sample aspect ratio and display matrix from a stream's first decoded frame.

    The matrix maps stored to displayed coordinates, x' = a x + c y, y' = b x + d y; whatever it is, the nearest
    combination of quarter turns and mirrorings is applied.
    """
    aspect = sample_aspect or Fraction(1)
    if not Fraction(1, _MAX_SAMPLE_ASPECT) <= aspect <= _MAX_SAMPLE_ASPECT:
        aspect = Fraction(1)
    # Stretch, as players do, and never below the stored size.
    width = max(1, round(frame.width * max(aspect, Fraction(1))))
    height = max(1, round(frame.height / min(aspect, Fraction(1))))
    upright = Display(width, height, stored=(frame.width, frame.height), hdr=is_hdr(frame))
    side_data = _display_matrix(frame)
    if side_data is None:
        return upright
    (a, b), (c, d) = np.frombuffer(bytes(side_data), np.int32).reshape(3, 3)[:2, :2].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return replace(upright, transposed=True, mirror_x=c < 0, mirror_y=b < 0)
    return replace(upright, mirror_x=a < 0, mirror_y=d < 0)


def _display_matrix(frame: VideoFrame) -> Any:
    """A frame's display matrix; None without one."""
    _name_the_nameless()
    try:
        return frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # what describes a picture must not lose it
        return None


def _name_the_nameless() -> None:
    """Have PyAV list side data of kinds that are newer than its names for them: it refuses all of it otherwise.

    Such are EXIF and the views of spatial video.
    """

    def missing(kinds: type[Type], value: object) -> Type:
        nameless: Any = object.__new__(kinds)
        nameless._name_, nameless._value_ = f"NAMELESS_{value}", value
        return cast(Type, nameless)

    if "_missing_" not in Type.__dict__:
        Type._missing_ = classmethod(missing)  # type: ignore[assignment]  # an enum's own hook
