"""Cases: views that the report shows one by one, and the rule that picks them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segfeat.store.reader import FeatureStore
from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.evaluation.metrics import exit_nll
from segmodel.prediction import SkipPrediction
from segmodel.report.results import RunResults
from segmodel.runs.pairs import read_pairs
from segmodel.runs.predictor import Predictor

VIDEOS = 20
"""Videos shown where nobody names any."""

_NARROW = 9
"""Segments that fit half a page."""

LEVELS = 9
"""Steps of the colour scale."""

BEST, WORST = "best foreseen", "least foreseen"

RULE = (
    "Of the videos with at least two segments that at least two users watched in the test views, those with the most "
    "users, the longer first; on each, the view whose exit was foreseen best (lowest NLL) beside the one foreseen "
    "least (highest NLL) of another user. Where there are too few such videos, single views follow, by turns the best "
    "and the least foreseen of the rest."
)


@dataclass(frozen=True)
class Segment:
    """One segment as a user sees it: times, colour level 0 .. LEVELS - 1, and probabilities."""

    start_s: float
    end_s: float
    level: int
    quantile: float
    hazard: float
    skip_probability: float
    survival: float


@dataclass(frozen=True)
class Viewer:
    """One user on the video of a case.

    Attributes
    ----------
    user_id, verdict : str
    segments : tuple of Segment
    expected_watch_s, completion : float
    watched_s : float or None
        Where the user really left; None where that is not known.
    completed : bool
    exit_probability, nll : float or None
        Of what really happened.
    """

    user_id: str
    verdict: str
    segments: tuple[Segment, ...]
    expected_watch_s: float
    completion: float
    watched_s: float | None
    completed: bool
    exit_probability: float | None
    nll: float | None


@dataclass(frozen=True)
class Case:
    """One video and the users who watched it."""

    video_id: str
    title: str
    duration_s: float
    viewers: tuple[Viewer, ...]

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return len(self.viewers[0].segments) > _NARROW or len(self.viewers) > 2


@dataclass(frozen=True, eq=False)
class _Shown:
    views: Views
    prediction: SkipPrediction
    row: int
    verdict: str


def auto_cases(results: RunResults, store: FeatureStore, videos: int = VIDEOS) -> list[Case]:
    """Cases among the test views, by :data:`RULE`."""
    views, nll = results.held.data.views, results.own.metrics.nll
    chosen = choose_views(views, nll, videos)
    shown = [[_Shown(views, results.prediction, row, BEST if best else WORST) for row, best in rows] for rows in chosen]
    return [_case(group, store, results) for group in shown]


def choose_views(views: Views, nll: Float64, videos: int = VIDEOS) -> list[list[tuple[int, bool]]]:
    """Rows of :data:`RULE`, video by video, each with whether it is the best foreseen one.

    Parameters
    ----------
    views : Views
    nll : float (V,)
    videos : int
        At most so many.
    """
    several = [rows for rows in _by_video(views) if len(np.unique(views.user[rows])) > 1]
    several.sort(key=lambda rows: (-len(np.unique(views.user[rows])), -views.segments[rows[0]], views.video[rows[0]]))
    found = []
    for rows in several[:videos]:
        best = int(rows[nll[rows].argmin()])
        others = rows[views.user[rows] != views.user[best]]
        found.append([(best, True), (int(others[nll[others].argmax()]), False)])
    taken = {int(views.video[rows[0][0]]) for rows in found}
    rest = [r for r in np.argsort(nll, kind="stable").tolist() if views.segments[r] > 1]
    for turn in range(len(rest)):
        if len(found) >= videos:
            break
        row = next((r for r in (rest if turn % 2 == 0 else rest[::-1]) if int(views.video[r]) not in taken), None)
        if row is None:
            break
        taken.add(int(views.video[row]))
        found.append([(row, turn % 2 == 0)])
    return found


def _by_video(views: Views) -> list[npt.NDArray[np.int64]]:
    """Rows of each video of at least two segments."""
    rows = np.flatnonzero(views.segments > 1)
    rows = rows[np.argsort(views.video[rows], kind="stable")]
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(views.video[rows])) + 1)


def named_cases(predictor: Predictor, results: RunResults, path: Path) -> list[Case]:
    """Cases of the pairs in a CSV file with ``user_id`` and ``video_id``, one per video.

    A pair among the test views is shown as it happened (the last time); any other one as a prediction after the
    user's last known view.
    """
    store = predictor.data.store
    later = predictor.pairs(read_pairs(path, predictor.data.known))
    views = results.held.data.views
    users, videos = views.user_ids[views.user], views.video_ids[views.video]
    groups: dict[str, list[_Shown]] = {}
    for row in range(len(later.views)):
        user, video = (str(a[c[row]]) for a, c in _ids(later.views))
        known = np.flatnonzero((users == user) & (videos == video))
        shown = (
            _Shown(views, results.prediction, int(known[-1]), "test view")
            if len(known)
            else _Shown(later.views, later.prediction, row, "not watched yet")
        )
        groups.setdefault(video, []).append(shown)
    return [_case(group, store, results) for group in groups.values()]


def _ids(views: Views) -> tuple[tuple[npt.NDArray[np.object_], npt.NDArray[np.int32]], ...]:
    return (views.user_ids, views.user), (views.video_ids, views.video)


def _case(shown: list[_Shown], store: FeatureStore, results: RunResults) -> Case:
    views, row = shown[0].views, shown[0].row
    video_id = str(views.video_ids[views.video[row]])
    title = str(store.titles[store.rows[video_id]]) if video_id in store else ""
    scale = _all_interest(results.prediction)
    return Case(video_id, title, float(views.picture_s[row]), tuple(_viewer(one, scale) for one in shown))


def _all_interest(prediction: SkipPrediction) -> Float64:
    """Interest in every segment of every test view, ascending: what colours are relative to."""
    live = np.arange(prediction.interest.shape[1])[None, :] < prediction.segments[:, None]
    return np.sort(prediction.interest[live])


def _viewer(shown: _Shown, scale: Float64) -> Viewer:
    v, p, row = shown.views, shown.prediction, shown.row
    n, duration_s = int(v.segments[row]), float(v.picture_s[row])
    known = bool(v.watched[row])
    exit_ = v.exit[row : row + 1]
    # The middle of equal values, so that a constant model is neither all low nor all high.
    interest = p.interest[row, :n]
    quantile = (np.searchsorted(scale, interest) + np.searchsorted(scale, interest, side="right")) / (2 * len(scale))
    hazard, skip, survival = p.hazard[row, :n], p.skip_probability[row, :n], p.survival[row, :n]
    segments = tuple(
        Segment(
            start_s=s * v.segment_s,
            end_s=float(v.end_s(row, s)),
            level=min(int(quantile[s] * LEVELS), LEVELS - 1),
            quantile=float(quantile[s]),
            hazard=float(hazard[s]),
            skip_probability=float(skip[s]),
            survival=float(survival[s]),
        )
        for s in range(n)
    )
    return Viewer(
        user_id=str(v.user_ids[v.user[row]]),
        verdict=shown.verdict,
        segments=segments,
        expected_watch_s=float(p.expected_watch_s[row]),
        completion=float(p.completion[row]),
        watched_s=min(float(v.watch_s[row]), duration_s) if known else None,
        completed=bool(v.completed[row]),
        exit_probability=float(p.slots[row, exit_[0]]) if known else None,
        nll=float(exit_nll(p.slots[row : row + 1], exit_)[0]) if known else None,
    )
