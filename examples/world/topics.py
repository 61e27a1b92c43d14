"""The topics: each with its own look, sound and words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Voice:
    """How a topic sounds.

    Attributes
    ----------
    root_hz : float
        Pitch of the scale's first note.
    scale : tuple of int
        Semitones above the root that the melody uses.
    notes_per_s : float
    partials : tuple of (float, float)
        Frequency ratio and amplitude of each sine in a note.
    decay_s : float
        Time in which a note falls to 1/e.
    noise_hz : (float, float)
        Band of the background noise.
    noise_level : float
        Its amplitude relative to the notes.
    swell_s : float
        Period with which the noise comes and goes; 0 for a steady noise.
    """

    root_hz: float
    scale: tuple[int, ...]
    notes_per_s: float
    partials: tuple[tuple[float, float], ...]
    decay_s: float
    noise_hz: tuple[float, float]
    noise_level: float
    swell_s: float


@dataclass(frozen=True)
class Topic:
    """A subject of videos. A scene in ``scenes`` has the same name; the vocabulary fills titles and subtitles."""

    name: str
    voice: Voice
    vocabulary: str

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary, word by word."""
        return tuple(self.vocabulary.split())


_MAJOR = (0, 2, 4, 7, 9, 12)
_MINOR = (0, 3, 5, 7, 10, 12)

TOPICS: tuple[Topic, ...] = (
    Topic(
        "sea",
        Voice(110.0, (0, 7, 12, 16), 0.5, ((1, 1.0), (2, 0.2)), 1.6, (150, 900), 1.6, 2.5),
        "sea wave beach sail tide shore surf gull harbour island sand shell foam boat coast swim pier reef",
    ),
    Topic(
        "city",
        Voice(55.0, (0, 3, 5, 6, 7, 10), 3.0, ((1, 1.0), (2, 0.7), (3, 0.5), (4, 0.3)), 0.25, (60, 220), 0.9, 0.0),
        "city night street tower window taxi bridge skyline traffic neighbour bar rooftop subway avenue lamp jazz",
    ),
    Topic(
        "forest",
        Voice(1320.0, (0, 2, 5, 9, 12), 2.5, ((1, 1.0), (1.02, 0.6)), 0.07, (300, 1600), 0.12, 4.0),
        "forest tree moss bird deer trail fern pine leaf cabin owl mushroom creek bark hike shade root fox",
    ),
    Topic(
        "kitchen",
        Voice(330.0, _MAJOR, 4.0, ((1, 1.0), (2, 0.5), (3, 0.25)), 0.12, (3500, 7500), 0.8, 0.0),
        "kitchen pan recipe garlic butter onion tomato pepper sauce stir fry taste salt oven spoon dinner chef basil",
    ),
    Topic(
        "neon",
        Voice(220.0, _MINOR, 6.0, ((1, 1.0), (3, 0.33), (5, 0.2), (7, 0.14)), 0.15, (1800, 2600), 0.05, 0.5),
        "neon arcade synth laser retro dance pixel game beat club glow robot cyber drive electric vinyl bass joystick",
    ),
    Topic(
        "snow",
        Voice(880.0, _MAJOR, 1.2, ((1, 1.0), (2.76, 0.5), (5.4, 0.25)), 0.9, (2000, 4000), 0.06, 3.0),
        "snow ski mountain ice winter peak sled frost glacier lodge summit slope mitten blizzard alpine cocoa flake",
    ),
    Topic(
        "garden",
        Voice(440.0, _MAJOR, 2.5, ((1, 1.0), (2, 0.6), (4, 0.1)), 0.5, (180, 260), 0.35, 1.3),
        "garden flower bee rose tulip bloom petal seed butterfly soil spring lavender daisy water pot herb sprout",
    ),
    Topic(
        "desert",
        Voice(165.0, (0, 1, 4, 5, 7, 8), 1.5, ((1, 1.0), (2, 0.5), (3, 0.5), (4, 0.25)), 0.8, (1000, 1400), 0.5, 5.0),
        "desert dune camel sun cactus canyon dust oasis mirage heat rock caravan scorpion mesa drum nomad horizon tent",
    ),
)
