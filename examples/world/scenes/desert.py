"""Dunes and cactuses under a large low sun."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Scene, below, disc, drawn, glow, gradient, layer, ripple, shade, stamp


def _cactuses(rng: np.random.Generator, width: int, height: int, foot: float) -> Image.Image:
    places = [(rng.uniform(0.1, 0.9) * width, rng.uniform(28, 46)) for _ in range(4)]

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x, tall in places:
            y, t = foot * height + 8, tall * 0.09
            for x0, y0, x1, y1 in (
                (x - t, y - tall, x + t, y),
                (x - 4 * t, y - 0.75 * tall, x - 2.4 * t, y - 0.4 * tall),
                (x - 4 * t, y - 0.48 * tall, x, y - 0.36 * tall),
                (x + 2.4 * t, y - 0.85 * tall, x + 4 * t, y - 0.5 * tall),
                (x, y - 0.6 * tall, x + 4 * t, y - 0.48 * tall),
            ):
                pen.rounded_rectangle([x0 * k, y0 * k, x1 * k, y1 * k], radius=t * k, fill=255)

    return drawn((width, height), draw)


def desert(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    sky = gradient(size, [shade(rng, (232, 120, 70)), shade(rng, (250, 170, 90)), (255, 220, 150), (255, 226, 170)])
    sun = (w * rng.uniform(0.25, 0.75), h * rng.uniform(0.28, 0.38))
    stamp(sky, (255, 240, 180), glow(w * 0.7, 220), *sun)
    stamp(sky, (255, 246, 206), disc(w * 0.17), *sun)
    rows = []
    for tone, foot, pace in (
        ((236, 176, 104), 0.5, 2.0),
        ((222, 150, 76), 0.6, 5.0),
        ((200, 120, 54), 0.73, 10.0),
        ((168, 90, 40), 0.88, 18.0),
    ):
        line = h * foot + ripple(rng, 2 * w, 12, (1, 2, 3))
        if foot == 0.73:
            rows.append(layer((70, 96, 60), _cactuses(rng, 2 * w, h, foot), pace))
        rows.append(layer(shade(rng, tone, 8), below(h, line), pace))
    dust = [(rng.uniform(0, w), rng.uniform(0.5, 1) * h, rng.uniform(20, 50)) for _ in range(14)]

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for row in rows:
            row.paint(frame, t)
        for x, y, speed in dust:
            stamp(frame, (255, 226, 170), disc(1.0), (x + speed * t) % w, y + 3 * np.sin(t + x))
        return frame

    return picture
