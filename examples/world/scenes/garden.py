"""Flowers that sway in a meadow, a butterfly, clouds."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Colour, Scene, below, disc, drawn, gradient, layer, ripple, shade, soft, stamp

_PETALS: tuple[Colour, ...] = ((244, 96, 150), (255, 170, 60), (250, 240, 250), (196, 120, 230), (255, 210, 70))


def _blossom(radius: int, petals: int) -> Image.Image:
    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        c = radius * k
        for i in range(petals):
            a = 2 * np.pi * i / petals
            x, y, r = c + 0.55 * c * np.cos(a), c + 0.55 * c * np.sin(a), 0.42 * c
            pen.ellipse((x - r, y - r, x + r, y + r), fill=255)

    return drawn((2 * radius, 2 * radius), draw)


def garden(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    meadow = gradient(size, [shade(rng, (150, 214, 250)), (206, 238, 250), (220, 244, 200), (160, 214, 110)])
    for foot, tone in ((0.42, (156, 210, 120)), (0.55, (128, 196, 92)), (0.7, (104, 178, 72))):
        meadow.paste(shade(rng, tone, 8), (0, 0), below(h, h * foot + ripple(rng, w, 8, (1, 2, 3))))
    cloud = Image.new("L", (2 * w, h))
    for _ in range(5):
        x, y = rng.uniform(20, 2 * w - 20), rng.uniform(0.06, 0.26) * h
        for _ in range(5):
            stamp(cloud, 255, disc(int(rng.integers(6, 12))), x + rng.normal(0, 11), y + rng.normal(0, 3))
    clouds = layer((255, 255, 255), soft(cloud, 1.5), 5.0)
    flowers = []
    for depth in np.sort(rng.uniform(0, 1, 16)):
        radius = int(6 + 12 * depth)
        flowers.append(
            (
                rng.uniform(0.04, 0.96) * w,
                h * (0.5 + 0.36 * depth),
                radius,
                shade(rng, _PETALS[int(rng.integers(len(_PETALS)))], 14),
                _blossom(radius, int(rng.integers(5, 9))),
                rng.uniform(0, 6),
            )
        )
    wing = disc(4)

    def picture(t: float) -> Image.Image:
        frame = meadow.copy()
        clouds.paint(frame, t)
        pen = ImageDraw.Draw(frame)
        for x, y, radius, tone, petals, phase in flowers:
            lean = radius * 0.35 * np.sin(1.6 * t + phase)
            pen.line([x, y + 5 * radius, x + lean, y], fill=(58, 128, 52), width=max(2, radius // 5))
            stamp(frame, tone, petals, x + lean, y)
            stamp(frame, (250, 200, 60), disc(radius * 0.32), x + lean, y)
        x, y = w * (0.5 + 0.4 * np.sin(0.7 * t)), h * (0.4 + 0.1 * np.sin(1.9 * t))
        spread = 3 * abs(np.sin(9 * t)) + 1
        stamp(frame, (250, 130, 60), wing, x - spread, y)
        stamp(frame, (250, 130, 60), wing, x + spread, y)
        return frame

    return picture
