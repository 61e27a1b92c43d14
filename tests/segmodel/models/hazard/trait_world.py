"""A world in which the tag of a video, the group of a user and the place in the app decide how readily people leave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from segfeat.attribute import Attribute, Users
from segfeat.interactions import Categories, Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from segmodel.data.dataset import Dataset, make_dataset

USERS, VIEWS, VIDEOS, NEW = 150, 24, 160, 40
TAG = {"dance": -1.2, "food": -0.4, "news": 0.4, "talk": 1.2}
GROUP = {"old": -0.5, "young": 0.5}
TAB = {"feed": -0.6, "search": 0.6}
"""Log-odds of leaving that each category adds."""


@dataclass(frozen=True, eq=False)
class TraitWorld:
    """Views to learn from, later views of videos that nobody has seen, and the store with their categories."""

    log: Interactions
    later: Interactions
    store: FeatureStore

    @property
    def data(self) -> Dataset:
        """The views to learn from."""
        return make_dataset(self.log, self.store)

    @property
    def unseen(self) -> Dataset:
        """The later views with the earlier ones as history."""
        return make_dataset(self.log, self.store, pairs=self.later)


def make_world(folder: Path, shuffled: bool = False, seed: int = 0) -> TraitWorld:
    """Everybody watches 24 videos, and then 6 of 40 new ones; where ``shuffled``, the store's categories are wrong."""
    rng = np.random.default_rng(seed)
    tag, group = rng.choice([*TAG], VIDEOS + NEW), rng.choice([*GROUP], USERS)
    duration_ms = rng.integers(8_000, 40_000, VIDEOS + NEW)

    def views(each: int, videos: np.ndarray, start_ms: int) -> Interactions:
        n = USERS * each
        user, video, tab = np.repeat(np.arange(USERS), each), rng.choice(videos, n), rng.choice([*TAB], n)
        odds = -1.2 + np.array(
            [TAG[tag[v]] + GROUP[group[u]] + TAB[t] for v, u, t in zip(video, user, tab, strict=True)]
        )
        # Those are the odds of leaving within five seconds, at any time.
        stays_s = np.ceil(np.log(rng.random(n)) / np.log1p(-expit(odds)) * 5.0)
        return Interactions(
            np.array([f"u{i}" for i in range(USERS)], dtype=object),
            np.array([f"v{i}" for i in range(VIDEOS + NEW)], dtype=object),
            user.astype(np.int32),
            video.astype(np.int32),
            start_ms + np.tile(np.arange(each), USERS) * 60_000,
            np.minimum(np.maximum(stays_s, 1) * 1000, duration_ms[video]).astype(np.int64),
            duration_ms[video],
            context={"tab": Categories((tab == "search").astype(np.int32), np.array(["feed", "search"], dtype=object))},
        )

    log, later = views(VIEWS, np.arange(VIDEOS), 0), views(6, np.arange(VIDEOS, VIDEOS + NEW), 10**8)
    shown = rng.permutation(tag) if shuffled else tag
    videos = [
        VideoFeatures(
            f"v{i}", ms / 1000, segment_spans(ms / 1000), {}, {}, attributes={"tag": (str(t),), "author": (f"a{i}",)}
        )
        for i, (ms, t) in enumerate(zip(duration_ms.tolist(), shown, strict=True))
    ]
    users = Users(
        np.array([f"u{i}" for i in range(USERS)], dtype=object),
        {"group": Attribute.of([[str(g)] for g in (rng.permutation(group) if shuffled else group)])},
    )
    path = folder / f"traits-{shuffled}-{seed}.h5"
    write_store(path, StoreHeader(5.0, {}, {}), videos, users=users)
    return TraitWorld(log, later, FeatureStore(path))
