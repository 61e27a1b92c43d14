"""The world in numbers: videos as topic sequences, users with tastes, and the hazard with which they leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .config import WorldConfig
from .topics import TOPICS
from .watchlog import draw_log

SEGMENT_MS = 5000
STEP_MS = 200
"""Video lengths are whole steps: two pictures at ten a second, so that file and log agree to the millisecond."""

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class World:
    """Everything there is to know about a world, the unobservable included.

    Array letters: V videos, S segments of the longest video, U users (training first, then held-out), K topics.

    Attributes
    ----------
    config : WorldConfig
    topic_names : tuple of str (K,)
    video_id, user_id : tuple of str (V,), (U,)
    duration_ms : int (V,)
    segment_topic : int (V, S)
        Topic of each segment, -1 beyond the video's end.
    cold : bool (V,)
        True for videos that no training user ever sees.
    has_sound, has_title, has_subtitles : bool (V,)
    heldout : bool (U,)
        True for users who occur in the held-out logs only.
    appeal : float (K,)
        What a topic adds to everybody's taste for it, in logits.
    taste : float (U, K)
        What a user adds to interest for each topic, in logits.
    patience : float (U,)
        What a user adds to interest everywhere, in logits.
    train, heldout_history, heldout_test : DataFrame
        Logs with user_id, video_id, time_ms, duration_ms, playing_time, each user's rows in order of time.
    """

    config: WorldConfig
    topic_names: tuple[str, ...]
    video_id: tuple[str, ...]
    user_id: tuple[str, ...]
    duration_ms: Int64
    segment_topic: Int64
    cold: Bool
    has_sound: Bool
    has_title: Bool
    has_subtitles: Bool
    heldout: Bool
    appeal: Float64
    taste: Float64
    patience: Float64
    train: pd.DataFrame
    heldout_history: pd.DataFrame
    heldout_test: pd.DataFrame

    @property
    def n_segments(self) -> Int64:
        """Number of segments (V,) of every video."""
        return (self.segment_topic >= 0).sum(axis=1)

    def hazard(self, user: Int64, video: Int64) -> Float64:
        """P(leave in segment s | reached s) of pairs of user and video codes, (B, S); NaN beyond a video's end."""
        return _hazard(
            self.config, self.duration_ms[video], self.segment_topic[video], self.taste[user], self.patience[user]
        )

    def interest(self, user: Int64, video: Int64) -> Float64:
        """True interest -logit(hazard), (B, S); NaN beyond a video's end."""
        h = self.hazard(user, video)
        return np.log1p(-h) - np.log(h)

    def codes(self, log: pd.DataFrame) -> tuple[Int64, Int64]:
        """User and video codes of a log's rows: their places in ``user_id`` and ``video_id``."""
        users = pd.Index(self.user_id).get_indexer(pd.Index(log["user_id"]))
        videos = pd.Index(self.video_id).get_indexer(pd.Index(log["video_id"]))
        if (users < 0).any() or (videos < 0).any():
            row = int(np.flatnonzero((users < 0) | (videos < 0))[0])
            raise ValueError(f"row {row} of the log names a user or video that is not of this world")
        return users.astype(np.int64), videos.astype(np.int64)


def simulate(config: WorldConfig | None = None) -> World:
    """Make a world's numbers and logs, without any media: a fraction of a second.

    Each part draws from its own random stream, so that, say, more users do not change the videos.
    """
    config = config or WorldConfig()
    look, people, watching = (np.random.default_rng([config.seed, stream]) for stream in range(3))

    duration_ms = _durations(config, look)
    topic = _topic_sequences(config, duration_ms, look)
    cold = np.zeros(config.videos, dtype=bool)
    cold[look.choice(config.videos, config.cold_videos, replace=False)] = True
    wordless = look.random(config.videos) < config.wordless_share
    has_sound = look.random(config.videos) >= config.silent_share
    has_title = ~wordless & (look.random(config.videos) >= config.untitled_share)
    has_subtitles = ~wordless & (look.random(config.videos) >= config.unsubtitled_share)
    video_id = tuple(f"v{i:04d}" for i in range(config.videos))

    n_users = config.users + config.heldout_users
    heldout = np.arange(n_users) >= config.users
    liking = _likings(config, n_users, people)
    appeal = config.appeal * people.permutation(np.linspace(-1.0, 1.0, config.topics))
    taste = appeal + liking * _strengths(config, n_users, people)
    patience = config.patience * people.standard_normal(n_users)
    user_id = tuple(f"u{i:04d}" for i in range(n_users))

    def hazard(user: Int64, video: Int64) -> Float64:
        return _hazard(config, duration_ms[video], topic[video], taste[user], patience[user])

    known, unknown = np.flatnonzero(~cold), np.flatnonzero(cold)
    stages = {
        "train": (np.flatnonzero(~heldout), [(known, config.views)]),
        "heldout": (np.flatnonzero(heldout), [(known, config.history_views), (unknown, config.test_views)]),
    }
    logs = {
        name: draw_log(watching, users, parts, hazard, duration_ms, user_id, video_id)
        for name, (users, parts) in stages.items()
    }
    return World(
        config=config,
        topic_names=tuple(t.name for t in TOPICS[: config.topics]),
        video_id=video_id,
        user_id=user_id,
        duration_ms=duration_ms,
        segment_topic=topic,
        cold=cold,
        has_sound=has_sound,
        has_title=has_title,
        has_subtitles=has_subtitles,
        heldout=heldout,
        appeal=appeal,
        taste=taste,
        patience=patience,
        train=logs["train"][0],
        heldout_history=logs["heldout"][0],
        heldout_test=logs["heldout"][1],
    )


def with_other_users(world: World, count: int, seed: int) -> World:
    """The same world with other held-out users behind its own: nobody who trained knows them any better.

    The held-out logs are theirs alone.
    """
    c = world.config
    people, watching = (np.random.default_rng([c.seed, seed, stream]) for stream in (1, 2))
    taste = world.appeal + _likings(c, count, people) * _strengths(c, count, people)
    n = len(world.user_id)
    grown = replace(
        world,
        user_id=(*world.user_id, *(f"u{i:04d}" for i in range(n, n + count))),
        heldout=np.append(world.heldout, np.ones(count, dtype=bool)),
        taste=np.concatenate([world.taste, taste]),
        patience=np.append(world.patience, c.patience * people.standard_normal(count)),
    )
    known, unknown = np.flatnonzero(~world.cold), np.flatnonzero(world.cold)
    stages = [(known, c.history_views), (unknown, c.test_views)]
    history, test = draw_log(
        watching, np.arange(n, n + count), stages, grown.hazard, world.duration_ms, grown.user_id, world.video_id
    )
    return replace(grown, heldout_history=history, heldout_test=test)


def _durations(config: WorldConfig, rng: np.random.Generator) -> Int64:
    """Lengths in ms; every second video ends on a segment border, the others nearly all with a shorter last segment."""
    length_s = config.min_s + (config.max_s - config.min_s) * rng.beta(4, 4, config.videos)
    whole = rng.random(config.videos) < 0.5
    step_ms = np.where(whole & (length_s >= 5), SEGMENT_MS, STEP_MS)
    duration_ms = np.maximum(np.round(length_s * 1000 / step_ms), 1) * step_ms
    return duration_ms.astype(np.int64)


def _topic_sequences(config: WorldConfig, duration_ms: Int64, rng: np.random.Generator) -> Int64:
    n = -(-duration_ms // SEGMENT_MS)
    topic = np.full((config.videos, int(n.max())), -1, dtype=np.int64)
    current = rng.integers(0, config.topics, config.videos)
    for s in range(topic.shape[1]):
        live = s < n
        topic[live, s] = current[live]
        switch = rng.random(config.videos) < config.switch_chance
        other = (current + rng.integers(1, config.topics, config.videos)) % config.topics
        current = np.where(switch, other, current)
    return topic


def _likings(config: WorldConfig, n_users: int, rng: np.random.Generator) -> Float64:
    """(U, K) 1 or -1: each user likes half of the topics and dislikes the others."""
    k = config.topics
    return rng.permuted(np.tile(np.where(np.arange(k) < k // 2, 1.0, -1.0), (n_users, 1)), axis=1)


def _strengths(config: WorldConfig, n_users: int, rng: np.random.Generator) -> Float64:
    """(U, K) how much they do, a little more or less."""
    return config.liking * (1 + 0.2 * rng.standard_normal((n_users, config.topics)))


def _hazard(config: WorldConfig, duration_ms: Int64, topic: Int64, taste: Float64, patience: Float64) -> Float64:
    """Discrete-time hazard (B, S): logistic for a full segment, with the same rate over a shorter last one."""
    s = np.arange(topic.shape[1])
    first, later = (np.log(h) - np.log1p(-h) for h in (config.first_hazard, config.later_hazard))
    base = later + (first - later) * np.exp(-s)
    liking = np.take_along_axis(taste, np.maximum(topic, 0), axis=1)
    full = 1 / (1 + np.exp(-(base[None, :] - liking - patience[:, None])))
    length = np.clip(duration_ms[:, None] - SEGMENT_MS * s[None, :], 0, SEGMENT_MS) / SEGMENT_MS
    return np.where(topic >= 0, -np.expm1(length * np.log1p(-full)), np.nan)
