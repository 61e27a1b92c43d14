"""Clips in which words are said and shown, made by espeak-ng and Pillow."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from segfeat.types import Float32

RATE = 16_000


def speech(words: str, folder: Path) -> Float32:
    """Mono sound of words at `RATE`; the test is skipped where espeak-ng is absent."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    path = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us+f3", "-s", "150", "-w", str(path), words], check=True)
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(path)) as container:
        blocks = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(blocks)


def picture(words: str, size: tuple[int, int] = (640, 360)) -> Any:
    """A picture with words at the bottom, uint8 (H, W, 3)."""
    image = Image.new("RGB", size, (30, 60, 90))
    font = ImageFont.load_default(size=32)
    ImageDraw.Draw(image).text((40, size[1] - 70), words, fill=(255, 255, 255), font=font)
    return np.asarray(image)


def make_clip(path: Path, shown: list[str], sound: Float32, segment_s: float = 5.0, fps: int = 5) -> Path:
    """A film that shows each of the words for one segment, with this sound at `RATE`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "18"})
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.codec_context.open()
        for words in shown:
            frame = av.VideoFrame.from_ndarray(picture(words), "rgb24")
            for _ in range(round(segment_s * fps)):
                frame.pts = None
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for at in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None, at : at + 1024]), "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = RATE, at, Fraction(1, RATE)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path
