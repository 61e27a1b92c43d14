"""What encoders want of a clip: pictures resized as open_clip does it, sound, words. Picklable, and without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from segfeat.types import Clip, Float32, UInt8

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


@dataclass(frozen=True)
class SoundPreparer:
    """Hands a clip's waveform over.

    Attributes
    ----------
    sample_rate : int
        Samples a second the waveform must have.
    least : int
        Fewer samples than this are too little to hear anything in.
    """

    sample_rate: int
    least: int

    def __call__(self, clip: Clip) -> Float32 | None:
        """float32 (samples,); None for a clip without sound, with fewer than ``least`` samples, or with broken ones.

        Raises
        ------
        ValueError
            If the clip's sound has another rate.
        """
        if len(clip.waveform) < self.least:
            return None
        if clip.sample_rate != self.sample_rate:
            raise ValueError(f"sound at {clip.sample_rate} Hz, where {self.sample_rate} Hz were asked for")
        waveform = np.asarray(clip.waveform, dtype=np.float32)
        return waveform if np.isfinite(waveform).all() else None  # damaged float sound can decode to anything


@dataclass(frozen=True)
class WordsPreparer:
    """Hands a clip's text over."""

    def __call__(self, clip: Clip) -> str | None:
        """The text without surrounding space; None where there is none."""
        # Half characters, from bytes that were no text, do not exist in UTF-8: tokenizers refuse them.
        return clip.text.encode("utf-8", "replace").decode("utf-8").strip() or None
