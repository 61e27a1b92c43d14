"""Words as a text encoder wants them."""

from __future__ import annotations

from dataclasses import dataclass

from segfeat.types import Clip


@dataclass(frozen=True)
class WordsPreparer:
    """Hands a clip's text over."""

    def __call__(self, clip: Clip) -> str | None:
        """The text without surrounding space; None where there is none."""
        return clip.text.strip() or None
