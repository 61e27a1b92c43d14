"""What all scenes are painted with: gradients, soft masks, layers that move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Scene = Callable[[float], Image.Image]
"""A picture (RGB) for every time in seconds since the scene began."""

_FINE = 3
"""Shapes are drawn this many times larger and then reduced, which smooths their edges."""


def shade(rng: np.random.Generator, colour: Colour, spread: int = 10) -> Colour:
    """A neighbour of a colour, so that no two videos look quite the same."""
    r, g, b = np.clip(np.asarray(colour) + rng.integers(-spread, spread + 1, 3), 0, 255)
    return int(r), int(g), int(b)


def gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image.Image:
    """A picture that runs through evenly spaced colours from top to bottom."""
    width, height = size
    y = np.linspace(0, len(colours) - 1, height)
    column = np.stack([np.interp(y, np.arange(len(colours)), channel) for channel in np.asarray(colours).T], axis=-1)
    return Image.fromarray(np.repeat(np.round(column).astype(np.uint8)[:, None], width, axis=1))


def drawn(size: tuple[int, int], draw: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """A smooth mask (L): ``draw`` gets a canvas and the factor by which its coordinates are larger."""
    large = Image.new("L", (size[0] * _FINE, size[1] * _FINE))
    draw(ImageDraw.Draw(large), _FINE)
    return large.resize(size, Image.Resampling.BOX)


def below(height: int, line: npt.NDArray[np.float64]) -> Image.Image:
    """Mask (L) of everything under a line given as y for each column."""
    cover = np.arange(height)[:, None] + 0.5 - line[None, :]
    return Image.fromarray((np.clip(cover, 0, 1) * 255).astype(np.uint8))


def ripple(rng: np.random.Generator, width: int, size: float, waves: Sequence[int]) -> npt.NDArray[np.float64]:
    """A periodic line (width,) of mixed sine waves within about ±size; ``waves`` are whole numbers per width."""
    x = np.arange(width) / width * 2 * np.pi
    parts = [np.sin(k * x + rng.uniform(0, 2 * np.pi)) / np.sqrt(k) for k in waves]
    line = np.sum(parts, axis=0)
    return size * line / np.abs(line).max()


@lru_cache(maxsize=64)
def disc(radius: float) -> Image.Image:
    """Smooth mask (L) of a filled circle."""
    side = int(np.ceil(2 * radius)) + 1

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        c = side * k / 2
        pen.ellipse((c - radius * k, c - radius * k, c + radius * k, c + radius * k), fill=255)

    return drawn((side, side), draw)


@lru_cache(maxsize=64)
def glow(radius: float, strength: int = 255) -> Image.Image:
    """Mask (L) that fades from the middle outwards."""
    side = int(2 * radius) + 1
    y, x = np.mgrid[:side, :side] - radius
    fade = np.clip(1 - np.hypot(x, y) / radius, 0, 1) ** 2
    return Image.fromarray((strength * fade).astype(np.uint8))


def soft(mask: Image.Image, radius: float) -> Image.Image:
    """A blurred copy of a mask."""
    return mask.filter(ImageFilter.GaussianBlur(radius))


def stamp(frame: Image.Image, ink: Colour | int | Image.Image, mask: Image.Image, x: float, y: float) -> None:
    """Paint through a mask whose middle lies at (x, y)."""
    frame.paste(ink, (round(x - mask.width / 2), round(y - mask.height / 2)), mask)


@dataclass(frozen=True, eq=False)
class Layer:
    """A shape of one colour that repeats along x and passes by."""

    ink: Colour
    edge: Image.Image
    """Mask of the rows from ``top`` on that are partly covered."""
    top: int
    solid: int
    """From this row on everything is covered; the frame's height where nothing is."""
    pace: float
    """How fast the layer moves to the left, in pixels a second."""

    def paint(self, frame: Image.Image, t: float, dy: float = 0.0) -> None:
        """Paint the layer as it stands at t seconds, dy >= 0 pixels lower."""
        down = round(dy)
        for x in range(-(round(self.pace * t) % self.edge.width), frame.width, self.edge.width):
            frame.paste(self.ink, (x, self.top + down), self.edge)
        if self.solid + down < frame.height:
            frame.paste(self.ink, (0, self.solid + down, frame.width, frame.height))


def layer(ink: Colour, mask: Image.Image, pace: float) -> Layer:
    """A layer of a mask as tall as the frame; only rows that need blending keep their mask, for blending is slow."""
    rows = np.asarray(mask)
    covered = (rows == 255).all(axis=1)
    solid = mask.height - int(np.argmin(np.append(covered[::-1], False)))
    top = int(np.argmax(rows.any(axis=1)))
    return Layer(ink, mask.crop((0, top, mask.width, max(solid, top + 1))), top, solid, pace)
