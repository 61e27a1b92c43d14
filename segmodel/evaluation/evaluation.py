"""Evaluation: a prediction held against what happened, over all views and over the groups that matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.types import Bool
from segmodel.data.views import MAX_SEGMENTS, Views, joined_views
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.reliability import Reliability, reliability
from segmodel.evaluation.view_metrics import ViewMetrics, view_metrics
from segmodel.prediction import SkipPrediction
from segmodel.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

SEGMENT_GROUPS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, MAX_SEGMENTS))
"""Numbers of segments, first and last, that are summed up together."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of B views, and which views belong to which group.

    Attributes
    ----------
    views : Views
    metrics : ViewMetrics
    groups : mapping of str to bool (B,)
        ``all``; ``warm video`` and ``cold video``, ``warm user`` and ``cold user`` (cold = absent from the training
        views); and the numbers of segments. Groups without a view are there, too.
    """

    views: Views
    metrics: ViewMetrics
    groups: Mapping[str, Bool]

    def summaries(self) -> dict[str, dict[str, float]]:
        """The summary of each group that has views."""
        return {name: self.metrics.summary(mask) for name, mask in self.groups.items() if mask.any()}

    def completes(self) -> Reliability:
        """Calibration of P(completes)."""
        return reliability(self.metrics.completion, self.metrics.completed)

    def leaves_first(self) -> Reliability:
        """Calibration of P(leaves in segment 0)."""
        return reliability(self.metrics.leaves_first, self.metrics.left_first)

    def to_json(self) -> dict[str, Any]:
        """Summaries and calibration curves; what is not defined is None."""
        return jsonable(
            {
                "groups": self.summaries(),
                "calibration": {"completes": asdict(self.completes()), "leaves_first": asdict(self.leaves_first())},
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per view with all that is needed to compute every metric again."""
        import pandas as pd

        v, m = self.views, self.metrics
        return pd.DataFrame(
            {
                "user_id": v.user_ids[v.user],
                "video_id": v.video_ids[v.video],
                "time_ms": v.time_ms,
                "duration_ms": v.duration_ms,
                "segments": v.segments,
                "exit": v.exit,
                "completed": m.completed,
                "cold_video": self.groups["cold video"],
                "cold_user": self.groups["cold user"],
                "paper_rank": pd.Series(m.paper_rank).astype("Int64"),
                "masked_rank": pd.Series(m.masked_rank).astype("Int64"),
                "nll": m.nll,
                "brier": m.brier,
                "watch_s": m.watch_s,
                "expected_watch_s": m.expected_watch_s,
                "watch_error_s": m.watch_error_s,
                "completion_probability": m.completion,
                "leaves_first_probability": m.leaves_first,
            }
        )


def evaluate(
    prediction: SkipPrediction, views: Views, train_views: Views, max_segments: int = MAX_SEGMENTS
) -> Evaluation:
    """Hold a prediction of watched views against what happened.

    Parameters
    ----------
    prediction : SkipPrediction
    views : Views
        The views it is for, in its order.
    train_views : Views
        What the model was trained on: decides who and what is cold. Its id tables may be others.
    max_segments : int
        Of the run.

    Raises
    ------
    ValueError
        If prediction and views differ in number, or a watch time is unknown.
    """
    return Evaluation(views, view_metrics(prediction, views, max_segments), groups(views, train_views))


def joined_evaluations(parts: Sequence[Evaluation]) -> Evaluation:
    """That of the views of all parts, which hold different users; of one part as it is."""
    if len(parts) == 1:
        return parts[0]

    def columns(of: Callable[[Evaluation], Any], name: str) -> Any:
        return np.concatenate([getattr(of(part), name) for part in parts])

    metrics = ViewMetrics(**{f.name: columns(lambda part: part.metrics, f.name) for f in fields(ViewMetrics)})
    masks = {name: np.concatenate([part.groups[name] for part in parts]) for name in parts[0].groups}
    return Evaluation(joined_views([part.views for part in parts]), metrics, masks)


def groups(views: Views, train_views: Views) -> dict[str, Bool]:
    """The groups of an :class:`Evaluation`."""
    videos = Vocabulary.of(train_views.video_ids, train_views.video)
    users = Vocabulary.of(train_views.user_ids, train_views.user)
    return groups_by(views, users, videos)


def groups_by(views: Views, users: Vocabulary, videos: Vocabulary) -> dict[str, Bool]:
    """The same by the users and videos of the training views."""
    warm_video = videos.table_codes(views.video_ids)[views.video] > 0
    warm_user = users.table_codes(views.user_ids)[views.user] > 0
    found = {
        "all": np.ones(len(views), dtype=bool),
        "warm video": warm_video,
        "cold video": ~warm_video,
        "warm user": warm_user,
        "cold user": ~warm_user,
    }
    for first, last in SEGMENT_GROUPS:
        name = "1 segment" if last == 1 else f"{first} segments" if first == last else f"{first}-{last} segments"
        found[name] = (views.segments >= first) & (views.segments <= last)
    return found


def write_per_view(evaluations: Mapping[str, Evaluation], path: str | Path) -> None:
    """Write the views of several models below each other; the column ``model`` names the model.

    The file's name decides the format, see :func:`segmodel.tables.write_table`.
    """
    import pandas as pd

    write_table(pd.concat([e.to_frame().assign(model=n) for n, e in evaluations.items()], ignore_index=True), path)


def jsonable(content: Any) -> Any:
    """``content`` with arrays as lists and numbers that are none as None."""
    if isinstance(content, Mapping):
        return {key: jsonable(value) for key, value in content.items()}
    if isinstance(content, np.ndarray):
        return jsonable(content.tolist())
    if isinstance(content, list | tuple):
        return [jsonable(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
