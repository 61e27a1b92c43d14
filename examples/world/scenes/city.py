"""A city at night, passing by: lit windows, a moon, lights on the road."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Layer, Scene, disc, drawn, glow, gradient, layer, shade, stamp


def _houses(
    rng: np.random.Generator, width: int, height: int, top: float, lit: float
) -> tuple[Image.Image, Image.Image]:
    """Masks of a row of houses and of their lit windows."""
    houses, windows = [], []
    x = 0
    while x < width:
        w = min(int(rng.integers(16, 34)), width - x)
        y = int(height * (top + rng.uniform(0, 0.22)))
        houses.append((x, y, x + w, height))
        for row in range(y + 6, height - 30, 9):
            for column in range(x + 4, x + w - 5, 7):
                if rng.random() < lit:
                    windows.append((column, row, column + 3, row + 4))
        x += w

    def draw_houses(pen: ImageDraw.ImageDraw, k: int) -> None:
        for box in houses:
            pen.rectangle([k * c for c in box], fill=255)

    def draw_windows(pen: ImageDraw.ImageDraw, k: int) -> None:
        for box in windows:
            pen.rectangle([k * c for c in box], fill=230)

    return drawn((width, height), draw_houses), drawn((width, height), draw_windows)


def city(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    sky = gradient(size, [shade(rng, (10, 14, 44), 6), shade(rng, (34, 34, 92), 8), (92, 62, 120), (150, 90, 110)])
    for _ in range(40):
        stamp(sky, (210, 215, 240), disc(rng.uniform(0.4, 0.9)), rng.uniform(0, w), rng.uniform(0, h * 0.4))
    moon = (w * rng.uniform(0.2, 0.8), h * rng.uniform(0.1, 0.22))
    stamp(sky, (200, 205, 240), glow(w * 0.3, 130), *moon)
    stamp(sky, (244, 240, 220), disc(w * 0.08), *moon)
    rows: list[Layer] = []
    for tone, light, top, lit, pace in (
        ((46, 40, 88), (120, 104, 120), 0.3, 0.25, 4.0),
        ((28, 28, 64), (240, 190, 96), 0.4, 0.4, 9.0),
        ((12, 14, 36), (255, 214, 110), 0.55, 0.55, 18.0),
    ):
        house, window = _houses(rng, 2 * w, h, top, lit)
        rows += [layer(shade(rng, tone, 5), house, pace), layer(light, window, pace)]
    road = int(h * 0.9)
    cars = [(rng.uniform(0, 2 * w), rng.choice([-1, 1]) * rng.uniform(40, 80)) for _ in range(6)]
    halo = glow(9, 230)

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for row in rows:
            row.paint(frame, t)
        frame.paste((18, 18, 30), (0, road, w, h))
        for start, speed in cars:
            x = (start + speed * t) % (2 * w) - w / 2
            y = road + (9 if speed > 0 else 17)
            stamp(frame, (255, 236, 180) if speed > 0 else (255, 70, 60), halo, x, y)
            stamp(frame, (255, 250, 230) if speed > 0 else (255, 120, 100), disc(2), x, y)
        return frame

    return picture
