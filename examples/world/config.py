"""The few numbers that define a world."""

from __future__ import annotations

from dataclasses import dataclass

from .topics import TOPICS


@dataclass(frozen=True)
class WorldConfig:
    """Size and difficulty of a world; the same configuration always gives the same world.

    Attributes
    ----------
    videos : int
        Number of videos, cold ones included.
    users : int
        Users of the training log.
    heldout_users : int
        Users that occur in the held-out logs only.
    cold_share : float
        Share of the videos that no training user ever sees.
    topics : int
        Number of topics, the first so many of ``TOPICS``.
    seed : int
    min_s, max_s : float
        Range of video lengths in seconds; most lie in the middle of it.
    switch_chance : float
        Chance that the next segment has another topic.
    views : (int, int)
        Range of views per training user (half-open).
    history_views, test_views : (int, int)
        The same for the held-out users' views of training videos and, after them, of cold videos.
    liking : float
        Distance in logits between indifference and a liked (or disliked) topic.
    appeal : float
        Half the range, in logits, over which topics differ in how much everybody likes them.
    patience : float
        Standard deviation, in logits, of the users' general inclination to stay.
    first_hazard, later_hazard : float
        Chance that an average user leaves in the first segment, and in later ones.
    silent_share, wordless_share, untitled_share, unsubtitled_share : float
        Shares of videos without sound; without any words; and, of the others, without a title; without subtitles.
    """

    videos: int = 160
    users: int = 240
    heldout_users: int = 100
    cold_share: float = 0.25
    topics: int = 6
    seed: int = 0
    min_s: float = 20.0
    max_s: float = 35.0
    switch_chance: float = 0.55
    views: tuple[int, int] = (30, 51)
    history_views: tuple[int, int] = (20, 31)
    test_views: tuple[int, int] = (15, 26)
    liking: float = 1.1
    appeal: float = 0.3
    patience: float = 0.3
    first_hazard: float = 0.18
    later_hazard: float = 0.1
    silent_share: float = 0.12
    wordless_share: float = 0.12
    untitled_share: float = 0.1
    unsubtitled_share: float = 0.1

    def __post_init__(self) -> None:
        if not 2 <= self.topics <= len(TOPICS):
            raise ValueError(f"topics must lie between 2 and {len(TOPICS)}, not {self.topics}")
        if not 0.2 <= self.min_s <= self.max_s < 200:
            raise ValueError(f"video lengths must satisfy 0.2 <= min_s <= max_s < 200, not {self.min_s}, {self.max_s}")
        for name in ("users", "heldout_users"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 1 <= self.cold_videos < self.videos:
            raise ValueError(
                f"{self.videos} videos with a cold share of {self.cold_share} leave no cold or no training video"
            )

    @property
    def cold_videos(self) -> int:
        """Number of videos that no training user ever sees."""
        return round(self.videos * self.cold_share)
