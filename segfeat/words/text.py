"""One text of a segment from the words of several sources, each thing said once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher

from segfeat.types import Line

REPEATED = 0.5
"""Share of a line's words that stand, in order, in what there is already: more, and it is the same once again. Speech
is heard with every third word wrong by a weak recogniser, so that all of them cannot be asked for."""

_WRITTEN = ("title", "subtitles")

_UNSPACED = "぀-ヿ㐀-鿿豈-﫿฀-๿຀-໿က-႟ក-៿"
"""Scripts that put no space between words: kana, Han, Thai, Lao, Burmese, Khmer."""

_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_NEEDLESS = re.compile(rf"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")


def joined(found: Mapping[str, Sequence[Line]]) -> str:
    """The text of a segment.

    Parameters
    ----------
    found : mapping of kind to lines
        In the order in which the text shall have them. What is said counts as one line, what is shown line by line;
        either is left out where it repeats what stands before it.
    """
    parts: list[str] = []
    for kind, lines in found.items():
        texts = [sentence(line.text for line in lines)] if kind == "speech" else [line.text for line in lines]
        parts += [text for text in texts if text and (kind in _WRITTEN or not repeats(text, " ".join(parts)))]
    return " ".join(parts)


def sentence(words: Iterable[str]) -> str:
    """Words in a row, with the spaces that their script has."""
    return _NEEDLESS.sub("", " ".join(words))


def repeats(text: str, before: str) -> bool:
    """Whether more than `REPEATED` of a text's words stand in ``before``, in the same order."""
    mine, theirs = (_TOKEN.findall(part.casefold()) for part in (text, before))
    if not mine or not theirs:
        return False
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) > REPEATED * len(mine)
