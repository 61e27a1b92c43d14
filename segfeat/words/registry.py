"""Sources of words by name, and the one way to load them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from segfeat.words.base import Options, WordSource


@dataclass(frozen=True)
class WordsEntry:
    """A source: the kind of its words, ``module:class``, and how users write it."""

    kind: str
    address: str
    form: str


SOURCES: Mapping[str, WordsEntry] = {
    "title": WordsEntry("title", "segfeat.words.written:Title", "title"),
    "subtitles": WordsEntry("subtitles", "segfeat.words.written:Subtitles", "subtitles"),
    "speech:faster-whisper": WordsEntry(
        "speech", "segfeat.words.whisper:FasterWhisper", "speech:faster-whisper:NAME-or-path[@LANGUAGE]"
    ),
    "speech:pocketsphinx": WordsEntry("speech", "segfeat.words.pocketsphinx:PocketSphinx", "speech:pocketsphinx"),
    "screen:rapidocr": WordsEntry("screen", "segfeat.words.rapidocr:RapidOcr", "screen:rapidocr"),
}
"""Name -> source."""

KINDS = tuple(dict.fromkeys(entry.kind for entry in SOURCES.values()))
"""The kinds of words in the order in which a segment's text has them."""

DEFAULT_WORDS = ("title", "subtitles")
"""What is read unasked: it costs next to nothing."""

NONE = "none"
"""The specification of no source."""


def parse_words(given: str | Sequence[str]) -> tuple[str, ...]:
    """Take a list of sources apart, without loading anything; they come back in the order of `KINDS`.

    Parameters
    ----------
    given : str or sequence of str
        Names separated by commas, or the names.

    Raises
    ------
    ValueError
        If there is no such source, or two of one kind are named; names the valid forms.
    """
    names = [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]
    if names == [NONE]:
        return ()
    kinds: dict[str, str] = {}
    for name in names:
        kind = SOURCES[_key(name)].kind
        if kind in kinds:
            raise ValueError(f"two sources of {kind}: {kinds[kind]} and {name}; name one")
        kinds[kind] = name
    return tuple(kinds[kind] for kind in KINDS if kind in kinds)


@lru_cache(maxsize=16)
def load_sources(names: tuple[str, ...], options: Options) -> tuple[WordSource, ...]:
    """The sources of these names, as `parse_words` gives them; their models are looked for, but not loaded.

    Raises
    ------
    ValueError
        If a source is unknown, or its library or model cannot be had.
    """
    return tuple(_load(name, options) for name in names)


def _load(name: str, options: Options) -> WordSource:
    key = _key(name)
    module, _, attribute = SOURCES[key].address.partition(":")
    source: WordSource = getattr(import_module(module), attribute)(name, name[len(key) + 1 :], options)
    return source


def _key(name: str) -> str:
    """The key of `SOURCES` that a name belongs to."""
    for key, entry in SOURCES.items():
        takes_model = entry.form != key
        if name == key and not takes_model:
            return key
        if takes_model and name.startswith(f"{key}:") and len(name) > len(key) + 1:
            return key
    forms = ", ".join(entry.form for entry in SOURCES.values())
    raise ValueError(f"unknown source of words {name!r}; valid are {forms}, or {NONE}")
