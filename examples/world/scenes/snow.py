"""White peaks and falling snow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from .canvas import Scene, below, disc, gradient, ripple, shade, stamp


def snow(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    sky = gradient(size, [shade(rng, (150, 178, 214)), shade(rng, (204, 220, 238)), (244, 247, 252)])
    for foot, tall, rock, cap in (
        (0.62, 0.34, (138, 156, 190), (236, 242, 250)),
        (0.72, 0.24, (104, 124, 164), (250, 252, 255)),
    ):
        x = np.arange(w)
        peaks = [(rng.uniform(0, w), rng.uniform(0.7, 1.0)) for _ in range(3)]
        line = np.min([h * (foot - tall * p) + np.abs(x - at) * rng.uniform(1.0, 1.5) for at, p in peaks], axis=0)
        line = line + ripple(rng, w, 2.0, (9, 14, 23))
        sky.paste(shade(rng, rock, 8), (0, 0), below(h, line))
        cover = np.asarray(below(h, line)).astype(int) - np.asarray(
            below(h, np.minimum(line * 0.55 + h * foot * 0.36, h) + ripple(rng, w, 7, (7, 11, 16)))
        )
        sky.paste(cap, (0, 0), Image.fromarray(np.clip(cover, 0, 255).astype(np.uint8)))
    for foot, tone in ((0.72, (222, 232, 246)), (0.82, (238, 244, 252)), (0.92, (252, 253, 255))):
        sky.paste(shade(rng, tone, 3), (0, 0), below(h, h * foot + ripple(rng, w, 7, (1, 2, 3))))
    sheets = []
    for n, radius, fall, drift in ((70, 0.8, 26, 5), (40, 1.4, 44, -8), (18, 2.3, 72, 12)):
        sheet = Image.new("L", size)
        for _ in range(n):
            flake = disc(radius * rng.uniform(0.7, 1.2))
            stamp(sheet, 255, flake, rng.uniform(4, w - 4), rng.uniform(4, h - 4))
        sheets.append((sheet, fall * rng.uniform(0.8, 1.2), drift))

    def picture(t: float) -> Image.Image:
        frame = sky.copy()
        for sheet, fall, drift in sheets:
            down, left = round(fall * t) % h, round(drift * (t + np.sin(t))) % w
            frame.paste((255, 255, 255), (0, 0), ImageChops.offset(sheet, -left, down))
        return frame

    return picture
