"""A picture as a vision model wants it: resized and cropped exactly as open_clip does, but without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from segfeat.types import Clip, UInt8

RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
RESIZE_MODES = ("shortest", "longest", "squash")


@dataclass(frozen=True)
class PicturePreparer:
    """Makes uint8 (F, height, width, 3) of a clip's frames; what remains, scaling of values, is done on the device.

    Attributes
    ----------
    height, width : int
        Of the model's input, in pixels.
    resampling : str
        Key of `RESAMPLING`.
    resize_mode : {"shortest", "longest", "squash"}
        Fill the input and crop the middle; fit into it and fill the rest; or stretch.
    fill : int
        Value of pixels outside the picture, 0–255.
    """

    height: int
    width: int
    resampling: str = "bicubic"
    resize_mode: str = "shortest"
    fill: int = 0

    def __post_init__(self) -> None:
        if self.resampling not in RESAMPLING:
            raise ValueError(f"unknown interpolation {self.resampling!r}; valid are {', '.join(RESAMPLING)}")
        if self.resize_mode not in RESIZE_MODES:
            raise ValueError(f"unknown resize mode {self.resize_mode!r}; valid are {', '.join(RESIZE_MODES)}")

    def __call__(self, clip: Clip) -> UInt8 | None:
        """uint8 (F, height, width, 3); None for a clip without frames."""
        if len(clip.frames) == 0:
            return None
        return np.stack([self.fit(frame) for frame in clip.frames])

    def fit(self, frame: UInt8) -> UInt8:
        """One picture (H, W, 3) as (height, width, 3)."""
        image = Image.fromarray(frame)
        size = self._size(image.width, image.height)
        resampling = RESAMPLING[self.resampling]
        if self.resize_mode == "shortest" and self.height != self.width:
            resampling = Image.Resampling.BICUBIC  # open_clip fixes it for oblong inputs
        if size != image.size:
            image = image.resize(size, resampling)
        return self._middle(np.asarray(image))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing."""
        if self.resize_mode == "squash":
            return self.width, self.height
        if self.resize_mode == "shortest" and self.height == self.width:
            if width <= height:
                return self.width, int(self.height * height / width)
            return int(self.width * width / height), self.height
        ratios = height / self.height, width / self.width
        ratio = max(ratios) if self.resize_mode == "longest" else min(ratios)
        return round(width / ratio), round(height / ratio)

    def _middle(self, pixels: UInt8) -> UInt8:
        """The middle of the picture, filled up where it is smaller."""
        missing = max(0, self.height - pixels.shape[0]), max(0, self.width - pixels.shape[1])
        if any(missing):
            sides = [(m // 2, (m + 1) // 2) for m in missing]
            pixels = np.pad(pixels, [*sides, (0, 0)], constant_values=self.fill)
        top = round((pixels.shape[0] - self.height) / 2)
        left = round((pixels.shape[1] - self.width) / 2)
        return pixels[top : top + self.height, left : left + self.width]
