"""Words about videos that have no file, encoded: one vector a video, the same for each of its segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from segfeat.encoders.registry import load_encoder
from segfeat.types import PER_VIDEO, Bool, Clip, EncoderSpec


class WordsEncoder:
    """A text encoder for whole videos.

    Parameters
    ----------
    spec : str
        As `segfeat.encoders.registry` writes it, such as ``offline:hashing``.
    device : str
        As there.

    Raises
    ------
    ValueError
        If there is no such text encoder, or its weights cannot be had.
    """

    def __init__(self, spec: str, device: str = "auto") -> None:
        encoder = load_encoder(spec, "text", device)
        if encoder is None:
            raise ValueError("words need a text encoder, not none")
        self._encoder = encoder
        pooling = encoder.spec.pooling.replace("segment's", "video's")
        self.spec: EncoderSpec = replace(encoder.spec, pooling=f"{PER_VIDEO}: {pooling}")

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], Bool]:
        """Vectors (n, D) of n texts, zeros where there are no words, and (n,) where there are any."""
        items = [self._encoder.preparer(_only_words(text)) for text in texts]
        # Titles repeat (a tag, a series), and a text costs the same each time.
        row = {item: i for i, item in enumerate(dict.fromkeys(i for i in items if i is not None))}
        vectors = np.zeros((len(items), self.spec.dim), np.float32)
        valid = np.array([item is not None for item in items], dtype=bool)
        if row:
            vectors[valid] = self._encoder.encode(list(row))[[row[i] for i in items if i is not None]]
        return vectors, valid


def _only_words(text: str) -> Clip:
    """A clip of nothing but words."""
    return Clip(0.0, 0.0, np.zeros((0, 0, 0, 3), np.uint8), np.zeros(0), np.zeros(0, np.float32), 0, text)
