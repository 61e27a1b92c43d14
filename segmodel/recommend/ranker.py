"""A user's list of videos, with the segments that earned each its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from segfeat.interactions import Interactions
from segfeat.types import Float64
from segmodel.data.views import Rows, Views, ragged
from segmodel.recommend import DIRECT
from segmodel.recommend.from_survival import effective_parts, effective_probability
from segmodel.recommend.saved import run_effective, saved_segrec
from segmodel.runs.pairs import pairs_of
from segmodel.runs.predictor import Predictor
from segmodel.tables import write_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Ranking:
    """Videos for one user, best first.

    Attributes
    ----------
    views : Views
        The R ranked candidates, in the order of the store or of the list of candidates.
    order : int (R,)
        Rows of the arrays, best first; ties as the candidates stood.
    probability : float64 (R,)
        P(effective view).
    weight : float64 (R, S)
        How much each segment counts; 0 on padding.
    contribution : float64 (R, S)
        What each adds: to the logit with a SegRec, to ln P with ``direct``.
    interest : float64 (R, S)
        Of the run's model.
    skipped : dict of reason to int
        Candidates that are not ranked.
    """

    views: Views
    order: Rows
    probability: Float64
    weight: Float64
    contribution: Float64
    interest: Float64
    skipped: dict[str, int]

    def best_segments(self, row: int, count: int = 3) -> list[int]:
        """The segments of a candidate that add most, among those that count; of equal ones the earlier first."""
        counts = np.flatnonzero(self.weight[row] > 0)
        return counts[np.argsort(-self.contribution[row, counts], kind="stable")][:count].tolist()

    def span_s(self, row: int, segment: int) -> tuple[float, float]:
        """Where a segment begins and ends, in seconds."""
        return segment * self.views.segment_s, float(self.views.end_s(row, segment))

    def __repr__(self) -> str:
        return f"<Ranking: {len(self.order):,} videos for user {self.views.user_ids[self.views.user[0]]!r}>"

    @property
    def ids(self) -> list[str]:
        """Videos, best first."""
        ids: list[str] = self.views.video_ids[self.views.video[self.order]].tolist()
        return ids

    @property
    def scores(self) -> Float64:
        """P(effective view) of each of :attr:`ids`, descending."""
        return self.probability[self.order]

    def top(self, count: int) -> Ranking:
        """The best ``count`` of them."""
        return replace(self, order=self.order[:count])

    def to_frame(self, top: int | None = None) -> pd.DataFrame:
        """One row per segment of the first ``top`` videos."""
        import pandas as pd

        v, chosen = self.views, self.order[:top]
        place, segment = ragged(v.segments[chosen])
        row = chosen[place]
        return pd.DataFrame(
            {
                "rank": place + 1,
                "user_id": v.user_ids[v.user[row]],
                "video_id": v.video_ids[v.video[row]],
                "probability": self.probability[row],
                "segment": segment,
                "start_s": segment * v.segment_s,
                "end_s": v.end_s(row, segment),
                "interest": self.interest[row, segment],
                "weight": self.weight[row, segment],
                "contribution": self.contribution[row, segment],
            }
        )

    def write(self, path: str | Path, top: int | None = None) -> None:
        """Write :meth:`to_frame` in the format of the file's name; see :func:`segmodel.tables.write_table`."""
        write_table(self.to_frame(top), path)


def rank_videos(
    predictor: Predictor,
    user: str,
    candidates: Sequence[str] | None = None,
    *,
    by: str = DIRECT,
    watched: bool = False,
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
) -> Ranking:
    """Rank videos of the store for a user, after their last known view.

    Parameters
    ----------
    predictor : Predictor
    user : str
        May be one that nobody has seen.
    candidates : sequence of str, optional
        Ids of videos in the store; all of them where absent.
    by : str
        ``direct``, or the backbone of a SegRec, which is fitted when first asked for. The default was better on
        validation views of both real logs (``docs/benchmark.md``).
    watched : bool
        Whether videos that the user has watched before are candidates.
    device : str
        Where a SegRec is fitted.
    say : callable, optional
        Told before a fit.

    Raises
    ------
    ValueError
        If there is no log, a candidate is not in the store, or no candidate is left to rank.
    """
    store, known = predictor.data.store, predictor.data.known_of([user])
    videos = list(store) if candidates is None else list(dict.fromkeys(candidates))
    if unknown := [v for v in videos if v not in store]:
        raise ValueError(f"video {unknown[0]!r} is not in {store.path}")
    skipped: dict[str, int] = {}
    if not watched:
        seen = _watched(known, user)
        fresh = [v for v in videos if v not in seen]
        if len(fresh) < len(videos):
            skipped["watched before"] = len(videos) - len(fresh)
        if videos and not fresh:
            raise ValueError(f"user {user!r} has watched all {len(videos):,} candidates; --watched ranks them, too")
        videos = fresh
    asked = predictor.data.pairs(pairs_of([user], videos, known))
    data, reasons = asked.data, Counter(asked.reason[asked.reason != ""].tolist())
    if not len(data):
        raise ValueError(
            f"no candidate can be ranked: {', '.join(f'{n:,} × {r}' for r, n in reasons.items()) or 'none'}"
        )
    prediction = predictor.run.model.predict(data)
    views, interest = data.views, prediction.interest
    if by == DIRECT:
        effective = run_effective(predictor)
        probability = effective_probability(prediction.survival, views, effective)
        weight, contribution = effective_parts(prediction.hazard, views, effective)
    else:
        model = saved_segrec(predictor, by, device, say).model
        probability = expit(model.logits(data, interest))
        weight, score = model.parts(data, interest)
        contribution = weight * score
    order = np.argsort(-probability, kind="stable")
    return Ranking(views, order, probability, weight, contribution, interest, {**skipped, **reasons})


def _watched(past: Interactions, user: str) -> set[str]:
    """Ids of the videos that a user has watched."""
    codes = np.flatnonzero(past.user_ids == user)
    there = np.isin(past.user, codes) & (past.watch_ms > 0)
    return set(past.video_ids[np.unique(past.video[there])].tolist())
