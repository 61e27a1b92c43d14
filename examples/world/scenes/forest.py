"""Firs in the mist, a light between them, leaves in the air."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Scene, below, disc, drawn, glow, gradient, layer, ripple, shade, stamp


def _firs(rng: np.random.Generator, width: int, height: int, foot: float, tall: float, n: int) -> Image.Image:
    """Mask of a row of firs that stand on a rolling floor."""
    floor = height * foot + ripple(rng, width, 5, (1, 2, 3))
    ground = below(height, floor)
    trees = [((i + rng.uniform(0.2, 0.8)) * width / n, tall * height * rng.uniform(0.7, 1.1)) for i in range(n)]

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x, size in trees:
            base = floor[int(x) % width] + 3
            for shift in (-width, 0, width):  # a tree across the edge shows on both sides
                cx = x + shift
                pen.rectangle(
                    [(cx - size * 0.025) * k, (base - size * 0.2) * k, (cx + size * 0.025) * k, base * k], 255
                )
                for tier in range(4):
                    top, low = base - size * (1 - 0.18 * tier), base - size * (0.57 - 0.18 * tier)
                    half = size * (0.11 + 0.055 * tier)
                    pen.polygon([(cx * k, top * k), ((cx - half) * k, low * k), ((cx + half) * k, low * k)], fill=255)

    trees_mask = drawn((width, height), draw)
    ground.paste(255, (0, 0), trees_mask)
    return ground


def forest(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    sky = gradient(size, [shade(rng, (196, 222, 190)), shade(rng, (226, 236, 196)), (150, 190, 140)])
    stamp(sky, (255, 252, 214), glow(w * 0.6, 230), w * rng.uniform(0.25, 0.75), h * rng.uniform(0.15, 0.3))
    rows = [
        layer(shade(rng, tone, 7), _firs(rng, 2 * w, h, foot, tall, n), pace)
        for tone, foot, tall, n, pace in (
            ((140, 180, 138), 0.58, 0.36, 15, 2.0),
            ((84, 140, 96), 0.7, 0.44, 11, 5.0),
            ((40, 96, 62), 0.82, 0.52, 8, 10.0),
            ((16, 56, 38), 0.9, 0.56, 6, 18.0),
        )
    ]
    leaves = [(rng.uniform(0, w), rng.uniform(0, h), rng.uniform(8, 18), rng.uniform(0, 6)) for _ in range(12)]

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for row in rows:
            row.paint(frame, t)
        for x, y, speed, phase in leaves:
            stamp(frame, (232, 226, 120), disc(1.5), (x + 8 * np.sin(t + phase)) % w, (y + speed * t) % h)
        return frame

    return picture
