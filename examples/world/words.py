"""Titles and subtitles from the topics' words."""

from __future__ import annotations

import numpy as np

from .topics import Topic

_TITLES = (
    "My best {} day",
    "Wait for the {}",
    "That {} to remember",
    "Nobody told me about this {}",
    "One minute of {}",
    "{} and chill",
    "Look at that {}",
    "POV: the {} is yours",
)
_LINES = (
    "look at the {} and the {} over there",
    "this {} goes so well with the {}",
    "first the {}, then the {}, then the {}",
    "have you ever seen a {} like that {}",
    "the {} is here, and so is the {}",
    "I love the {}, the {} and the {}",
)


def title(topic: Topic, rng: np.random.Generator) -> str:
    """A title with one word of a video's main topic."""
    line = _TITLES[int(rng.integers(len(_TITLES)))].format(rng.choice(topic.words))
    return line[0].upper() + line[1:]


def spoken(topic: Topic, rng: np.random.Generator) -> str:
    """A subtitle line with a few of a topic's words."""
    line = _LINES[int(rng.integers(len(_LINES)))]
    return line.format(*rng.choice(topic.words, size=line.count("{}"), replace=False))


def srt(cues: list[tuple[float, float, str]]) -> str:
    """Subtitles (start in s, end in s, text) as the text of an .srt file."""
    blocks = (
        f"{i}\n{_stamp(start_s)} --> {_stamp(end_s)}\n{text}\n" for i, (start_s, end_s, text) in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def _stamp(time_s: float) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
