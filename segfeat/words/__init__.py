"""Words about, in and on videos: what is written beside them, said in them and shown on them.

Each source is a class in a file of its own, named in `segfeat.words.registry.SOURCES`.
"""

from __future__ import annotations

from segfeat.words.base import Material, Options, WordSource
from segfeat.words.registry import DEFAULT_WORDS, SOURCES, load_sources, parse_words

__all__ = ["DEFAULT_WORDS", "SOURCES", "Material", "Options", "WordSource", "load_sources", "parse_words"]
