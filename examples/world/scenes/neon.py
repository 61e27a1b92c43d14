"""A striped sun over a glowing grid that runs towards the viewer."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Scene, below, disc, drawn, glow, gradient, layer, ripple, shade, soft, stamp


def neon(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    horizon = int(h * 0.58)
    pink, cyan = shade(rng, (255, 60, 190), 20), shade(rng, (70, 230, 255), 20)
    back = gradient((w, horizon), [shade(rng, (24, 6, 60), 8), (70, 10, 110), (170, 30, 140), (255, 90, 140)])
    sky = Image.new("RGB", size, (16, 4, 40))
    sky.paste(back)
    radius = w * 0.3
    cx, cy = w * 0.5, horizon - radius * 0.75
    stamp(sky, pink, glow(radius * 1.8, 150), cx, cy)
    sun = disc(radius).copy()
    for i in range(6):
        y = int(radius * (1.0 + 0.15 * i))
        sun.paste(0, (0, y, sun.width, y + 2 + i // 2))
    stamp(sky, gradient(sun.size, [(255, 240, 110), (255, 140, 90), (255, 50, 150)]), sun, cx, cy)
    sky.paste((20, 4, 46), (0, horizon, w, h))
    ridge = Image.new("L", (2 * w, h))
    ridge.paste(below(horizon, horizon - 12 + ripple(rng, 2 * w, 12, (3, 4, 7, 9))))
    hills = layer((44, 8, 84), ridge, 6.0)

    def spokes(pen: ImageDraw.ImageDraw, k: int) -> None:
        for i in range(-14, 15):
            pen.line([(cx + i * 7) * k, horizon * k, (cx + i * 52) * k, h * k], fill=255, width=k)

    lines = drawn(size, spokes)
    sky.paste(pink, (0, 0), soft(lines, 2.5))
    sky.paste(cyan, (0, 0), lines)
    pace = rng.uniform(0.8, 1.5)
    stars = [(rng.uniform(0, w), rng.uniform(0, horizon * 0.5), rng.uniform(0, 6)) for _ in range(25)]

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for x, y, phase in stars:
            stamp(frame, (255, 220, 255), disc(round(0.6 + 0.4 * np.sin(3 * t + phase), 1)), x, y)
        hills.paint(frame, t)
        pen = ImageDraw.Draw(frame)
        pen.line([0, horizon, w, horizon], fill=pink, width=2)
        phase = (pace * t) % 1
        for i in range(9):
            y = horizon + (h - horizon) / (9 - i - phase + 0.02)
            pen.line([0, y, w, y], fill=pink if y < horizon + 12 else cyan, width=1 if y < horizon + 40 else 2)
        return frame

    return picture
