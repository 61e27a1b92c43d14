"""``offline:color-texture``: the colours of a picture, where they lie, and what its surfaces are like. No weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from segfeat.encoders.registry import ParsedSpec
from segfeat.types import Clip, EncoderSpec, Float32, Float64, UInt8

FRAME_SIZE = 96
"""Shorter side, in pixels, at which pictures are described."""
HUES = 12
GREYS = 8
GRID = 3
"""Rows and columns of the layout."""
ORIENTATIONS = 8
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""

_RING = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""The eight neighbours of a pixel, in order around it."""


class ColorTexture:
    """Mean over frames of colour histograms, colour layout, oriented gradients and local binary patterns."""

    def __init__(self, parsed: ParsedSpec, device: Any) -> None:
        self.preparer = ColorTexturePreparer()
        self.frame_size: int | None = FRAME_SIZE
        self.sample_rate: int | None = None
        self.batch_size = 1
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="visual",
            dim=len(describe(np.zeros((8, 8, 3), np.uint8))),
            model="colour histograms, colour layout, oriented gradients and local binary patterns, version 1",
            weights="none",
            pooling="mean over frames",
        )

    def encode(self, items: Sequence[Float32]) -> Float32:
        """Vectors (n, D): the preparer has done the work, beside the decoder."""
        return np.array(items, np.float32).reshape(len(items), self.spec.dim)


@dataclass(frozen=True)
class ColorTexturePreparer:
    """Describes a clip's frames."""

    def __call__(self, clip: Clip) -> Float32 | None:
        """float32 (D,); None for a clip without frames."""
        if len(clip.frames) == 0:
            return None
        described = np.stack([describe(_shrink(frame)) for frame in clip.frames])
        return np.asarray(described.mean(axis=0), np.float32)


def describe(frame: UInt8) -> Float64:
    """The descriptor (112,) of a picture (H, W, 3) with at least 3 × 3 pixels; every number lies in [0, 1].

    hue × saturation (12 × 2) and brightness (8) as square roots of shares of the picture; the mean colour of each cell
    of a 3 × 3 grid (27); oriented gradients of the whole and the four quarters (5 × 8) and local binary patterns (10)
    as square roots of shares; contrast, edge strength and colourfulness (3).
    """
    pixels = frame.astype(np.float64) / 255
    grey = pixels @ LUMA
    gradient_y, gradient_x = np.gradient(grey)
    edges = np.hypot(gradient_x, gradient_y)
    saturation, colours = _colours(pixels)
    summary = np.array([2 * grey.std(), 2 * edges.mean(), saturation.mean()])
    parts = (colours, _layout(pixels), _gradients(gradient_x, gradient_y, edges), _patterns(grey), summary)
    return np.clip(np.concatenate(parts), 0.0, 1.0)


def _shrink(frame: UInt8) -> UInt8:
    """The picture with its shorter side at `FRAME_SIZE` (a smaller one as it is), at least 3 × 3 pixels."""
    height, width = frame.shape[:2]
    scale = min(1.0, FRAME_SIZE / min(height, width))
    size = max(3, round(width * scale)), max(3, round(height * scale))
    if size == (width, height):
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def _colours(pixels: Float64) -> tuple[Float64, Float64]:
    """Saturation (H, W), and the histograms of hue by pale and vivid (24) and of brightness (8)."""
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    chroma = high - low
    saturation = chroma / np.maximum(high, 1e-9)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    safe = np.maximum(chroma, 1e-9)
    sixth = np.select(
        [high == red, high == green], [(green - blue) / safe % 6, (blue - red) / safe + 2], (red - green) / safe + 4
    )
    # A pixel counts for its hue as far as it has one; greys count for none.
    vivid = saturation >= 0.5
    hues = [_histogram(sixth / 6 * HUES, chroma * half, HUES, circular=True) for half in (~vivid, vivid)]
    greys = _histogram(pixels @ LUMA * (GREYS - 1), np.ones_like(high), GREYS, circular=False)
    return saturation, np.sqrt(np.concatenate([*hues, greys]) / high.size)


def _histogram(place: Float64, weight: Float64, bins: int, circular: bool) -> Float64:
    """Weights by bin, each shared between the two bins nearest its place, so that no small change makes a jump."""
    below = np.floor(place).astype(int)
    share = place - below
    first, second = (below % bins, (below + 1) % bins) if circular else (below, np.minimum(below + 1, bins - 1))
    totals = [
        np.bincount(b.ravel(), w.ravel(), bins) for b, w in ((first, weight * (1 - share)), (second, weight * share))
    ]
    return np.asarray(totals[0] + totals[1], np.float64)


def _layout(pixels: Float64) -> Float64:
    """Mean colour of each cell of the grid, row by row (27)."""
    rows = np.array_split(pixels, GRID, axis=0)
    return np.concatenate([cell.mean(axis=(0, 1)) for row in rows for cell in np.array_split(row, GRID, axis=1)])


def _gradients(gradient_x: Float64, gradient_y: Float64, edges: Float64) -> Float64:
    """Share of edge strength by orientation, of the whole picture and its quarters (40); zeros where it is flat."""
    place = np.arctan2(gradient_y, gradient_x) % np.pi / np.pi * ORIENTATIONS
    middle_y, middle_x = edges.shape[0] // 2, edges.shape[1] // 2
    regions = [(slice(None), slice(None))]
    regions += [
        (y, x) for y in (slice(middle_y), slice(middle_y, None)) for x in (slice(middle_x), slice(middle_x, None))
    ]
    parts = []
    for region in regions:
        strength = _histogram(place[region], edges[region], ORIENTATIONS, circular=True)
        parts.append(np.sqrt(strength / max(strength.sum(), 1e-9)))
    return np.concatenate(parts)


def _patterns(grey: Float64) -> Float64:
    """Rotation-invariant uniform local binary patterns (10), after Ojala, Pietikäinen and Mäenpää 2002."""
    height, width = grey.shape
    centre = grey[1:-1, 1:-1]
    # A neighbour must be visibly brighter: otherwise the grain of compression decides on flat surfaces.
    brighter = np.stack([grey[1 + y : height - 1 + y, 1 + x : width - 1 + x] > centre + 2 / 255 for y, x in _RING])
    changes = (brighter != np.roll(brighter, 1, axis=0)).sum(axis=0)
    code = np.where(changes <= 2, brighter.sum(axis=0), len(_RING) + 1)
    return np.sqrt(np.bincount(code.ravel(), minlength=len(_RING) + 2) / code.size)
