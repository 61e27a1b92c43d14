"""``screen:rapidocr``: text on the pictures, Chinese and English, by PP-OCR models that come in the wheel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.types import Float64, Line, UInt8
from segfeat.words.base import Material, Options
from segfeat.words.models import hash_files, installed

SHORT_SIDE = 720
"""Pixels of the pictures' shorter side, from which the detector reads; larger ones are made smaller."""

LEAST_CONFIDENCE = 0.8
"""Of a line, in [0, 1]: below it textures are read as letters."""

_BLOCK, _CHANGED = 16, 6.0
"""A picture has changed where the mean difference of a block of so many pixels a side exceeds so many grey levels of
255: a letter changes its block by tens, compression by one or two."""


class RapidOcr:
    """Reads a picture only if it has changed since the one that was read last."""

    kind, hears = "screen", False

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.name = name
        versions = installed(name, "ocr", "rapidocr", "onnxruntime")
        import rapidocr

        models = sorted(Path(rapidocr.__file__).parent.glob("models/*_small.onnx"))
        self.description = (
            f"{name} ({versions}; {', '.join(path.stem for path in models)} {hash_files(models)}; "
            f"pictures {SHORT_SIDE} pixels, confidence {LEAST_CONFIDENCE:g})"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_engine"}

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`; a line that several pictures of a segment show stands there once."""
        times_s = material.times_s
        pictures = iter(material.reader.frames(times_s.ravel(), SHORT_SIDE))
        seen: UInt8 | None = None
        texts: list[tuple[str, float]] = []
        for moments_s in times_s.tolist():
            lines: dict[str, Line] = {}
            for time_s in moments_s:
                frame = next(pictures)
                if frame is None:
                    continue
                if seen is None or changed(seen, frame.image):
                    seen, texts = frame.image, self._texts(frame.image)
                for text, confidence in texts:
                    first = lines.get(text)
                    lines[text] = Line(first.start_s if first else time_s, time_s, text, confidence)
            yield tuple(lines.values())

    @cached_property
    def _engine(self) -> Any:
        from rapidocr import RapidOCR

        params = {
            "Global.log_level": "critical",
            "Global.use_cls": False,  # pictures stand upright here
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        return RapidOCR(params=params)

    def _texts(self, image: UInt8) -> list[tuple[str, float]]:
        found = self._engine(np.ascontiguousarray(image[:, :, ::-1]))  # it takes BGR
        if found.txts is None:
            return []
        texts = [(" ".join(text.split()), float(score)) for text, score in zip(found.txts, found.scores, strict=True)]
        return [(text, score) for text, score in texts if text and score >= LEAST_CONFIDENCE]


def changed(before: UInt8, now: UInt8) -> bool:
    """Whether two pictures (H, W, 3) may show different words."""
    if before.shape != now.shape:
        return True
    return bool((_grey_blocks(before, now) > _CHANGED).any())


def _grey_blocks(before: UInt8, now: UInt8) -> Float64:
    difference = np.abs(before.astype(np.int16) - now).mean(axis=2)
    height, width = (-side % _BLOCK for side in difference.shape)
    padded = np.pad(difference, ((0, height), (0, width)))
    blocks = padded.reshape(padded.shape[0] // _BLOCK, _BLOCK, padded.shape[1] // _BLOCK, _BLOCK)
    means: Float64 = blocks.mean(axis=(1, 3))
    return means
