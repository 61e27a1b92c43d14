"""Encoders: from a segment's pictures, sound or words to one vector.

>>> from segfeat.encoders import load_encoder
>>> encoder = load_encoder("offline:hashing", "text", device="cpu")
>>> encoder.encode([encoder.preparer(clip)])                      # doctest: +SKIP
"""

from __future__ import annotations

from segfeat.encoders.base import Encoder, EncoderUnavailable, Preparer
from segfeat.encoders.registry import ENCODERS, NONE, PRESETS, ParsedSpec, Preset, forms, load_encoder, parse_spec

__all__ = [
    "ENCODERS",
    "NONE",
    "PRESETS",
    "Encoder",
    "EncoderUnavailable",
    "ParsedSpec",
    "Preparer",
    "Preset",
    "forms",
    "load_encoder",
    "parse_spec",
]
