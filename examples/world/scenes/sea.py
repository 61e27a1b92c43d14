"""A bay in the morning: sun, a sailing boat, rows of waves."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from .canvas import Scene, below, disc, drawn, glow, gradient, layer, ripple, shade, stamp


def sea(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    sky = gradient(size, [shade(rng, (96, 180, 232)), shade(rng, (190, 228, 240)), (255, 244, 220), (255, 244, 220)])
    sun = (w * rng.uniform(0.2, 0.8), h * rng.uniform(0.14, 0.28))
    stamp(sky, (255, 248, 214), glow(w * 0.5, 220), *sun)
    stamp(sky, (255, 252, 235), disc(w * 0.09), *sun)
    tones = [(126, 208, 214), (66, 178, 196), (30, 142, 174), (14, 106, 148), (8, 74, 120)]
    rows = []
    for i, tone in enumerate(tones):
        line = h * (0.42 + 0.12 * i) + ripple(rng, 2 * w, 3 + 2.2 * i, (2, 3, 5, 7))
        water, pace = below(h, line), rng.choice([-1, 1]) * (8 + 7 * i)
        foam = ImageChops.subtract(below(h, line - 2.2), water)
        rows.append((layer(shade(rng, tone), water, pace), layer((222, 246, 246), foam, pace)))

    def sail(pen: ImageDraw.ImageDraw, k: int) -> None:
        pen.polygon([(14 * k, 0), (14 * k, 26 * k), (2 * k, 26 * k)], fill=255)
        pen.polygon([(16 * k, 5 * k), (16 * k, 26 * k), (26 * k, 26 * k)], fill=255)

    def hull(pen: ImageDraw.ImageDraw, k: int) -> None:
        pen.polygon([(0, 29 * k), (28 * k, 29 * k), (22 * k, 36 * k), (6 * k, 36 * k)], fill=255)

    sails, boat = drawn((28, 36), sail), drawn((28, 36), hull)
    place, speed = rng.uniform(0.1, 0.7) * w, rng.uniform(2, 7)

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for i, (water, foam) in enumerate(rows):
            if i == 2:
                x = (place + speed * t) % (w + 40) - 20
                y = h * 0.585 + 3 * np.sin(1.4 * t)
                stamp(frame, (255, 250, 240), sails, x, y)
                stamp(frame, (190, 70, 60), boat, x, y)
            bob = 2.5 * (1 + np.sin(1.1 * t + i))
            water.paint(frame, t, bob)
            foam.paint(frame, t, bob)
        return frame

    return picture
