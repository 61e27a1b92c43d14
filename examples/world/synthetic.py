"""Content features without media: a topic's embedding plus noise, for tests and experiments on models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.segment import segment_spans
from segfeat.types import MODALITIES, Bool, VideoFeatures

from .simulation import World


def content_features(world: World, dim: int = 16, noise: float = 0.5, seed: int = 0) -> list[VideoFeatures]:
    """Features of all videos, as ideal encoders might give them, in the order of ``world.video_id``.

    Each modality has its own unit embedding per topic; each segment adds Gaussian noise of expected norm ``noise``. A
    segment's sound is invalid where the video is silent, its text where the video has no subtitles.
    """
    rng = np.random.default_rng([world.config.seed, seed, 7])
    embedding = rng.standard_normal((len(MODALITIES), len(world.topic_names), dim))
    embedding /= np.linalg.norm(embedding, axis=-1, keepdims=True)
    present = {"visual": np.ones_like(world.cold), "audio": world.has_sound, "text": world.has_subtitles}
    videos = []
    for v, n in enumerate(world.n_segments):
        topic = world.segment_topic[v, :n]
        features: dict[str, npt.NDArray[Any]] = {}
        valid: dict[str, Bool] = {}
        for m, modality in enumerate(MODALITIES):
            drawn = embedding[m, topic] + noise / np.sqrt(dim) * rng.standard_normal((n, dim))
            valid[modality] = np.full(n, bool(present[modality][v]))
            features[modality] = (drawn * valid[modality][:, None]).astype(np.float32)
        duration_s = world.duration_ms[v] / 1000
        videos.append(VideoFeatures(world.video_id[v], duration_s, segment_spans(duration_s), features, valid))
    return videos
