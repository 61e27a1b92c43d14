"""A pan from above on a checked cloth, something good in it, steam."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Scene, disc, drawn, glow, shade, stamp

_FOOD = (((214, 56, 40), 8), ((240, 110, 60), 6), ((86, 150, 52), 6), ((250, 226, 150), 7), ((150, 60, 110), 5))


def kitchen(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    w, h = size
    cream, red = shade(rng, (250, 236, 208)), shade(rng, (214, 92, 70), 14)
    cloth = Image.new("RGB", size, cream)
    step = w // 6

    def stripes(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x in range(0, w, 2 * step):
            pen.rectangle([x * k, 0, (x + step) * k, h * k], fill=110)

    def bands(pen: ImageDraw.ImageDraw, k: int) -> None:
        for y in range(0, h, 2 * step):
            pen.rectangle([0, y * k, w * k, (y + step) * k], fill=110)

    cloth.paste(red, (0, 0), drawn(size, stripes))
    cloth.paste(red, (0, 0), drawn(size, bands))
    cx, cy, r = w * 0.5, h * rng.uniform(0.4, 0.5), w * 0.4

    def handle(pen: ImageDraw.ImageDraw, k: int) -> None:
        pen.rounded_rectangle([(cx - 7) * k, cy * k, (cx + 7) * k, (cy + r * 2.1) * k], radius=7 * k, fill=255)

    stamp(cloth, (120, 90, 70), glow(r * 1.25, 200), cx + 4, cy + 7)
    cloth.paste((70, 46, 36), (0, 0), drawn(size, handle))
    stamp(cloth, (44, 44, 48), disc(r), cx, cy)
    stamp(cloth, (78, 78, 84), disc(r * 0.93), cx, cy)
    stamp(cloth, shade(rng, (224, 168, 72), 14), disc(r * 0.86), cx, cy)
    stamp(cloth, (246, 208, 120), glow(r * 0.7, 170), cx - r * 0.2, cy - r * 0.25)
    pieces = [
        (*_FOOD[int(rng.integers(len(_FOOD)))], r * 0.72 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi))
        for _ in range(16)
    ]
    spin = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
    puffs = [(rng.uniform(-0.5, 0.5) * r, rng.uniform(0, 1), rng.uniform(0, 6)) for _ in range(5)]
    steam = glow(w * 0.16, 120)

    def picture(t: float) -> Image.Image:
        frame = cloth.copy()
        for tone, radius, away, angle in pieces:
            a = angle + spin * t
            x, y = cx + away * np.cos(a), cy + away * np.sin(a)
            dark = (tone[0] * 2 // 3, tone[1] * 2 // 3, tone[2] * 2 // 3)
            stamp(frame, dark, disc(radius), x + 1, y + 1.5)
            stamp(frame, tone, disc(radius - 0.5), x, y)
            stamp(frame, (255, 250, 230), glow(radius * 0.6, 110), x - radius * 0.3, y - radius * 0.3)
        for x, start, phase in puffs:
            rise = (start + 0.35 * t) % 1
            stamp(frame, (255, 255, 255), steam, cx + x + 8 * np.sin(3 * rise + phase), cy - rise * h * 0.5)
        return frame

    return picture
