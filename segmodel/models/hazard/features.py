"""Numbers that describe a view to the network: its user's causal history, its context, its video.

Two steps: :class:`Past` describes watched views as history, and :func:`describe` describes target views by what of the
past they may see. Columns are plain; :class:`Scaler` standardises them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from segfeat.types import Float32, Float64, Int64
from segmodel.data.dataset import Dataset
from segmodel.data.views import Rows, Views
from segmodel.models.hazard.effects import TraitColumns
from segmodel.models.hazard.items import COLD, COVERAGE, EFFECT, LOG_COUNT
from segmodel.models.hazard.rates import Outcomes, logit

TOKEN, VIEW = 27, 33
"""Numbers that describe one view of a history, and a target view by its moment and video, categories aside."""

_SESSION_GAP_MS = 1_800_000
_RECENT = (5, 20)
_HALF_LIFE_VIEWS = 2.0
_DECAY_VIEWS = 12
_GAP_CENTRES = (1.2, 1.5, 1.8, 2.2, 2.7, 3.3)
"""log10 seconds around which the gap since the previous view is softly binned."""


@dataclass(frozen=True, eq=False)
class Past:
    """P watched views as history.

    Attributes
    ----------
    time_ms : int64 (P,)
    token : float32 (P, 27)
        One view as an element of a history.
    hazard : float32 (P, S)
        What base, categories and video statistics expected.
    sums : float64 (P + 1, 16)
        Prefix sums of surprises and centred outcomes.
    session : int64 (P,)
        First view of each view's session.
    page : int64 (P,)
        First view of each view's user and time.
    """

    time_ms: Int64
    token: Float32
    hazard: Float32
    sums: Float64
    session: Rows
    page: Rows


def log_watch_ratio(views: Views) -> Float64:
    """(V,) log(1 + watch / duration)."""
    ratio: Float64 = np.log1p(views.watch_ms / views.duration_ms)
    return ratio


def outcome_channels(views: Views, item: Float64) -> Float64:
    """(P, 9) what is averaged over a history, before centring."""
    done = views.completed
    return np.stack(
        [
            done,
            np.log1p(np.minimum(views.watch_ms / views.duration_ms, 8.0)),
            (views.exit == 0) & ~done,
            np.log(np.maximum(views.watch_ms, 1) / 1000.0) / 2,
            np.where(done, 0, views.exit) / 5.0,
            ~done,
            item[:, LOG_COUNT] / 2,
            item[:, COLD],
            item[:, EFFECT],
        ],
        axis=1,
    ).astype(np.float64)


def describe_past(views: Views, known: Iterable[tuple[Float64, Float64]], channel_means: Float64, width: int) -> Past:
    """Describe watched views, sorted by user and time, as history.

    Parameters
    ----------
    views : Views
    known : iterable of (float (B, S), float (B, 12))
        For each of ``views.parts()`` the base hazard with what categories add, and what
        :func:`segmodel.models.hazard.items.item_features` says of the videos.
    channel_means : float (9,)
        Of :func:`outcome_channels` over the training views.
    width : int
        S.
    """
    token = np.empty((len(views), TOKEN), np.float32)
    hazard = np.empty((len(views), width), np.float32)
    sums = np.zeros((len(views) + 1, 16))
    for (rows, part), (base, item) in zip(views.parts(), known, strict=True):
        token[rows], hazard[rows], sums[1:][rows] = _watched(part, base, item, channel_means)
    row = np.arange(len(views))
    new_user = np.diff(views.user, prepend=-1) != 0
    waited = np.diff(views.time_ms, prepend=0)
    start = np.maximum.accumulate(np.where(new_user | (waited > _SESSION_GAP_MS), row, 0)) if len(row) else row
    page = np.maximum.accumulate(np.where(new_user | (waited > 0), row, 0)) if len(row) else row
    return Past(views.time_ms, token, hazard, np.cumsum(sums, axis=0, out=sums), start, page)


def _watched(views: Views, base: Float64, item: Float64, channel_means: Float64) -> tuple[Float64, Float64, Float64]:
    """Token, expected hazard and what is summed, of each view."""
    effect = np.clip(item[:, EFFECT], -2.0, 2.0)[:, None]
    expected = np.where(base > 0, expit(logit(base) + 0.7 * effect), 0.0)
    surprise = Outcomes.of(views, base.shape[1]).residuals(expected, views.segments)
    channels = outcome_channels(views, item)
    summed = np.concatenate([surprise, channels - channel_means, np.ones((len(views), 1))], axis=1)
    token = np.concatenate(
        [
            channels[:, :4],
            (views.exit / views.segments)[:, None],
            np.minimum(views.exit, 20)[:, None] / 5.0,
            np.log(views.picture_s)[:, None],
            surprise,
            _hour(views.time_ms),
            item,
        ],
        axis=1,
    )
    return token, expected, summed


@dataclass(frozen=True, eq=False)
class Described:
    """V target views as the network sees them: (V, 33 and those of categories) context and video, (V, 65) running user
    statistics."""

    view: Float64
    user: Float64


_MOMENT = 9 + len(_GAP_CENTRES)


def of_video(columns: int) -> slice:
    """Columns of ``Described.view`` that the video alone decides, where its categories have so many."""
    return slice(_MOMENT, _MOMENT + 6 + COVERAGE + columns)


def describe(data: Dataset, past: Past, item: Float64, traits: TraitColumns | None = None) -> Described:
    """Describe the views of a dataset by what of ``past`` (over ``data.past``) their histories hold.

    Parameters
    ----------
    data : Dataset
    past : Past
    item : float (V, 12)
        Statistics of the target videos.
    traits : TraitColumns, optional
    """
    views = data.views
    traits = TraitColumns.none(len(views)) if traits is None else traits
    first, end = data.history.T
    known = end > first
    previous = np.maximum(end - 1, 0) if len(past.time_ms) else np.zeros(len(views), np.int64)
    when = past.time_ms if len(past.time_ms) else np.zeros(1, np.int64)
    gap = np.where(known, views.time_ms - when[previous], -1)
    session_start = past.session[previous] if len(past.time_ms) else first
    session = np.where(known & (gap < _SESSION_GAP_MS), np.maximum(session_start, first), end)
    page = np.where(known, past.page[previous] if len(past.time_ms) else first, end)
    before = np.where(known & (page > first), when[previous] - when[np.maximum(page - 1, 0)], -1)

    windows = [first, *(np.maximum(first, end - n) for n in _RECENT), session]
    running = [_shrunken(past.sums[end] - past.sums[start]) for start in windows]
    decayed = np.zeros((len(views), past.sums.shape[1]))
    for age in range(_DECAY_VIEWS):
        row = end - 1 - age
        there = row >= first
        at = np.where(there, row, 0)
        step = past.sums[at + 1] - past.sums[at] if len(past.time_ms) else np.zeros_like(decayed)
        decayed += np.where(there[:, None], step, 0.0) * 0.5 ** (age / _HALF_LIFE_VIEWS)
    running.append(_shrunken(decayed))

    log_gap = _log_seconds(gap)
    soft = [np.where(gap >= 0, expit((log_gap - centre) * 6.0), 0.0) for centre in _GAP_CENTRES]
    moment = np.stack(
        [
            log_gap,
            _log_seconds(before),
            known,
            before >= 0,
            np.log1p(end - first),
            np.log1p(end - session),
            np.log1p(np.where(known, end - page, 0)),
            *_hour(views.time_ms).T,
            *soft,
        ],
        axis=1,
    )
    n = views.segments
    length = np.stack(
        [
            np.log(views.picture_s),
            n / 10,
            views.picture_s / views.segment_s - (n - 1),
            1 / np.sqrt(n),
            n <= 2,
            n == 3,
        ],
        axis=1,
    )
    of_coverage = [item[:, COVERAGE:], traits.user, traits.context]
    view = np.concatenate([moment, length, item[:, :COVERAGE], traits.video, *of_coverage], axis=1)
    return Described(view, np.concatenate(running, axis=1))


def segment_features(views: Views, rows: Rows, offset: Float32, width: int) -> Float32:
    """(B, width, 14) of the segments of the given views; zero beyond N. ``offset`` (B, width) is the base log-odds."""
    s = np.arange(width)[None, :]
    n, duration = views.segments[rows][:, None], views.picture_s[rows][:, None]
    rest = np.maximum(duration - views.segment_s * s, 0.0)
    length = np.minimum(rest, views.segment_s)
    last = s == n - 1
    columns = (
        s / n,
        (n - 1 - s) / 10,
        np.log1p(rest),
        length / views.segment_s - 1,
        views.segment_s * s / duration,
        s == 0,
        s == 1,
        last,
        s == n - 2,
        last * length / views.segment_s,
        np.log1p(s),
        offset / 2,
        np.log1p(rest - length),
        (s == 0) / np.sqrt(n),
    )
    stacked = np.stack([np.broadcast_to(c, offset.shape) for c in columns], axis=2)
    return (stacked * (s < n)[..., None]).astype(np.float32)


SEGMENT_FEATURES = 14


class Moments:
    """Mean and deviation of values that come in parts (B, C)."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, np.zeros(()), np.zeros(())

    def add(self, part: np.ndarray) -> None:
        """A part, which may be empty."""
        if not len(part):
            return
        values = part.astype(np.float64)
        # Moments around the mean so far, so that nothing cancels (Chan et al. 1983).
        off = values.mean(axis=0) - self._mean
        self._squares = (
            self._squares
            + ((values - values.mean(axis=0)) ** 2).sum(axis=0)
            + off**2 * (self._count * len(values) / (self._count + len(values)))
        )
        self._count += len(values)
        self._mean = self._mean + off * (len(values) / self._count)

    def scaler(self) -> Scaler:
        """That standardises with them."""
        deviation = np.sqrt(self._squares / self._count)
        return Scaler(self._mean.astype(np.float32), (deviation + 1e-6).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Scaler:
    """Standardisation with the training views' mean and deviation, clipped to ±5."""

    mean: Float32
    scale: Float32

    def columns(self, which: slice) -> Scaler:
        """The scaler of some of the columns."""
        return Scaler(self.mean[which], self.scale[which])

    def __call__(self, values: np.ndarray) -> Float32:
        """(N, C) standardised."""
        return np.clip((values - self.mean) / self.scale, -5.0, 5.0).astype(np.float32)


def _shrunken(sums: Float64) -> Float64:
    """Surprises over their variance, outcomes over their count, both pulled towards nothing."""
    surprise, variance, count = sums[:, :3], sums[:, 3:6], sums[:, -1:]
    return np.concatenate(
        [
            surprise / (variance + 1.0),
            surprise.sum(axis=1, keepdims=True) / (variance.sum(axis=1, keepdims=True) + 1.5),
            sums[:, 6:-1] / (count + 3.0),
        ],
        axis=1,
    )


def _log_seconds(gap_ms: Int64) -> Float64:
    return np.where(gap_ms >= 0, np.log10(np.maximum(gap_ms, 1) / 1000.0 + 1.0), 0.0)


def _hour(time_ms: Int64) -> Float64:
    angle = (time_ms / 3_600_000.0) % 24 * (2 * np.pi / 24)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)
