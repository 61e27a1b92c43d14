"""Skip predictions for pairs of user and video: who will leave where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset
from segmodel.prediction import SkipPrediction
from segmodel.runs.run import Run
from segmodel.data.views import Views

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairPredictions:
    """Predictions in the order of the pairs asked for.

    Attributes
    ----------
    views : Views
        One per predicted pair.
    prediction : SkipPrediction
    skipped : dict of reason to int
        Pairs that could not be predicted.
    """

    views: Views
    prediction: SkipPrediction
    skipped: dict[str, int]

    def to_frame(self) -> pd.DataFrame:
        """One row per segment, with interest, skip_probability (leaves in it) and survival (watches past it)."""
        import pandas as pd

        v, p = self.views, self.prediction
        pair = np.repeat(np.arange(len(v)), v.segments)
        segment = np.arange(len(pair)) - np.repeat(np.cumsum(v.segments) - v.segments, v.segments)
        start_s = segment * v.segment_s
        return pd.DataFrame(
            {
                "user_id": v.user_ids[v.user[pair]],
                "video_id": v.video_ids[v.video[pair]],
                "time_ms": v.time_ms[pair],
                "segment": segment,
                "start_s": start_s,
                "end_s": np.minimum(start_s + v.segment_s, v.picture_s[pair]),
                "interest": p.interest[pair, segment],
                "skip_probability": p.skip_probability[pair, segment],
                "survival": p.survival[pair, segment],
            }
        )

    def write(self, path: str | Path) -> None:
        """Write :meth:`to_frame` as CSV with nine significant digits."""
        self.to_frame().to_csv(path, index=False, float_format="%.9g")


def predict_test(run: Run, store: FeatureStore, history: Interactions | None = None) -> PairPredictions:
    """Predictions for the run's own test views."""
    data = run.config.dataset(store)
    rows = run.config.make_split(data).test
    if history is not None:
        test = data.views.take(rows)
        return predict_pairs(run, store, run.config.log(store).take(np.sort(test.log_row)), history)
    data = data.take(rows)
    data = data.take(np.argsort(data.views.log_row, kind="stable"))
    return PairPredictions(data.views, run.model.predict(data), {})


def predict_pairs(
    run: Run, store: FeatureStore, pairs: Interactions, history: Interactions | None = None
) -> PairPredictions:
    """Predictions for the given pairs; earlier pairs with a watch time are history for later ones.

    Raises
    ------
    ValueError
        If a pair's video is not in the store and the pair has no duration, or no pair can be predicted.
    """
    data = pair_dataset(run, store, pairs, history)
    return PairPredictions(data.views, run.model.predict(data), dict(data.views.dropped))


def pair_dataset(run: Run, store: FeatureStore, pairs: Interactions, history: Interactions | None = None) -> Dataset:
    """The pairs as views with their histories, in the order of the pairs.

    Raises
    ------
    ValueError
        As :func:`predict_pairs`.
    """
    pairs = pairs.with_durations(_durations_ms(store))
    unknown = np.flatnonzero(pairs.duration_ms <= 0)
    if len(unknown):
        video = pairs.video_ids[pairs.video[unknown[0]]]
        raise ValueError(f"pair {unknown[0] + 1}: video {video!r} is not in {store.path}, and the pair has no duration")
    data = run.config.dataset(store, pairs=pairs, history=history)
    if not len(data):
        reasons = ", ".join(f"{n:,} × {r}" for r, n in data.views.dropped.items())
        raise ValueError(f"no pair can be predicted: {reasons or 'there are none'}")
    return data.take(np.argsort(data.views.log_row, kind="stable"))


def _durations_ms(store: FeatureStore) -> dict[str, int]:
    return {v: round(s * 1000) for v, s in zip(store, store.duration_s.tolist(), strict=True)}
