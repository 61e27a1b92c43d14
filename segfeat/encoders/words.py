"""Words as a text encoder wants them."""

from __future__ import annotations

from dataclasses import dataclass

from segfeat.types import Clip


@dataclass(frozen=True)
class WordsPreparer:
    """Hands a clip's text over."""

    def __call__(self, clip: Clip) -> str | None:
        """The text without surrounding space; None where there is none."""
        # Half characters, from bytes that were no text, do not exist in UTF-8: tokenizers refuse them.
        return clip.text.encode("utf-8", "replace").decode("utf-8").strip() or None
