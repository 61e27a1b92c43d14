"""``offline:hashing``: which words and word parts a text has, hashed into a fixed number of dimensions. No weights.

Feature hashing with signs after Weinberger et al. 2009 ("Feature Hashing for Large Scale Multitask Learning").
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from segfeat.encoders.preparers import WordsPreparer
from segfeat.encoders.registry import ParsedSpec
from segfeat.types import EncoderSpec, Float32, Float64

DIM = 256
PART_LENGTHS = (2, 3, 4)
"""Characters of the word parts, with a mark at both ends of the word: stems, endings, misspellings."""
WEIGHTS = {"word": 1.0, "pair": 0.5, "part": 0.5}
"""How much a kind of feature counts: single words most; word order and spelling refine them."""

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and Chinese characters: written without spaces, so each counts as a word."""

_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")


class Hashing:
    """Signed hashes of words, word pairs and parts of words; each kind of length 1, weighted; the sum of length 1."""

    def __init__(self, parsed: ParsedSpec, device: Any) -> None:
        self.preparer = WordsPreparer()
        self.frame_size: int | None = None
        self.sample_rate: int | None = None
        self.batch_size = 1
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="text",
            dim=DIM,
            model="signed feature hashing of words, word pairs and parts of words, version 1",
            weights="none",
            pooling="one vector of length 1 for the segment's text",
        )

    def encode(self, items: Sequence[str]) -> Float32:
        """Vectors (n, 256) of n texts, each of length 1."""
        return np.array([describe(text) for text in items], np.float32).reshape(len(items), DIM)


def describe(text: str) -> Float32:
    """The vector (256,) of a text with at least one character that is no space."""
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    kinds = {"word": tokens, "pair": _pairs(tokens), "part": list(_parts(tokens))}
    vector = sum(WEIGHTS[kind] * _unit(_hashed(kind, features)) for kind, features in kinds.items())
    return _unit(np.asarray(vector)).astype(np.float32)


def _pairs(tokens: list[str]) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(tokens)]


def _parts(tokens: list[str]) -> Iterator[str]:
    for token in tokens:
        marked = f"<{token}>"
        for length in PART_LENGTHS:
            yield from (marked[i : i + length] for i in range(len(marked) - length + 1))


def _hashed(kind: str, features: list[str]) -> Float64:
    """Sum of the features' signed places; a repeated feature counts 1 + log(times)."""
    vector = np.zeros(DIM)
    for feature, times in Counter(features).items():
        # Python's own hash() differs from process to process.
        number = int.from_bytes(blake2b(f"{kind} {feature}".encode(), digest_size=8).digest(), "little")
        vector[number % DIM] += (1 if number >> 63 else -1) * (1 + np.log(times))
    return vector


def _unit(vector: Float64) -> Float64:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length) if length > 0 else vector
