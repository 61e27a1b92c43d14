"""Watch logs: drawing them from hazards, reading exits off them, and permuting what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_SEGMENT_MS = 5000
_EPOCH_MS = 1_700_000_000_000
_PAGE_SIZES, _PAGE_CHANCES = (1, 2, 3, 4), (0.55, 0.2, 0.15, 0.1)
_REWATCH_CHANCE = 0.25


def draw_log(
    rng: np.random.Generator,
    users: Int64,
    stages: Sequence[tuple[Int64, tuple[int, int]]],
    hazard: Callable[[Int64, Int64], Float64],
    duration_ms: Int64,
    user_id: Sequence[str],
    video_id: Sequence[str],
) -> list[pd.DataFrame]:
    """Let users watch, stage after stage, and write down what a player would.

    Parameters
    ----------
    users : int (n,)
        Codes of the users who watch.
    stages : sequence of (videos, (low, high))
        What each user sees in turn: between low and high - 1 different ones of these video codes, in random order.
    hazard : function of user codes (B,) and video codes (B,) to float (B, S)
        P(leave in segment s | reached s), NaN beyond the end.
    duration_ms : int (V,)

    Returns
    -------
    list of DataFrame, one per stage: user_id, video_id, time_ms, duration_ms, playing_time. Times grow along each
    user's rows; the views of one feed page (1 to 4 of them) share a time.
    """
    parts: list[list[pd.DataFrame]] = [[] for _ in stages]
    for user in users:
        clock = _EPOCH_MS + int(rng.integers(0, 86_400_000))
        for part, (videos, (low, high)) in zip(parts, stages, strict=True):
            n = min(int(rng.integers(low, high)), len(videos))
            video = rng.permutation(videos)[:n]
            watch = _watch_ms(rng, hazard(np.full(n, user), video), duration_ms[video])
            page = _pages(rng, n)
            pause = rng.integers(1_000, 60_000, n) + (rng.random(n) < 0.05) * rng.integers(3_600_000, 36_000_000, n)
            page_ms = np.bincount(page, weights=watch) + np.bincount(page, weights=pause)
            start = clock + np.concatenate([[0], np.cumsum(page_ms)]).astype(np.int64)
            clock = int(start[-1])
            row = {
                "user_id": user_id[int(user)],
                "video_id": [video_id[v] for v in video],
                "time_ms": start[page],
                "duration_ms": duration_ms[video],
                "playing_time": watch,
            }
            part.append(pd.DataFrame(row))
    return [pd.concat(part, ignore_index=True) for part in parts]


def _pages(rng: np.random.Generator, n: int) -> Int64:
    sizes = rng.choice(_PAGE_SIZES, size=n, p=_PAGE_CHANCES)
    return np.repeat(np.arange(n), sizes)[:n]


def _watch_ms(rng: np.random.Generator, hazard: Float64, duration_ms: Int64) -> Int64:
    """Watch times (B,): uniform within the segment left; the whole video, sometimes more, where nobody left."""
    n, s = hazard.shape
    leaves = rng.random((n, s)) < hazard  # NaN compares false: nobody leaves after the end
    exit_segment = leaves.argmax(axis=1)
    low = exit_segment * _SEGMENT_MS + 1
    high = np.minimum((exit_segment + 1) * _SEGMENT_MS, duration_ms - 1)
    left_at = low + np.floor(rng.random(n) * (high - low + 1)).astype(np.int64)
    again = (rng.random(n) < _REWATCH_CHANCE) * rng.exponential(0.4, n)
    completed = duration_ms + np.floor(again * duration_ms).astype(np.int64)
    return np.where(leaves.any(axis=1), left_at, completed)


def exits(log: pd.DataFrame) -> tuple[Int64, Int64]:
    """Number of segments N and exit slot of every row: the segment left in, or N where the video was completed.

    N = ceil(duration / 5 s); a view is completed where the watch time reaches the duration; otherwise the user left in
    segment (watch - 1) // 5000 ms.
    """
    duration_ms = log["duration_ms"].to_numpy(np.int64)
    watch_ms = log["playing_time"].to_numpy(np.int64)
    n = -(-duration_ms // _SEGMENT_MS)
    return n, np.where(watch_ms >= duration_ms, n, (watch_ms - 1) // _SEGMENT_MS)


def permute_ratios(log: pd.DataFrame, seed: int = 0, within_length: bool = False) -> pd.DataFrame:
    """The same log with its watch / duration ratios permuted across rows: who watched what no longer matters.

    Completed views stay completed ones and skipped ones skipped, at their new rows. A permuted exit still depends on
    the number of segments; with ``within_length`` ratios move only between views of equally many segments, which
    leaves the exits' distribution at every length as it was.
    """
    rng = np.random.default_rng([seed, len(log)])
    duration = log["duration_ms"].to_numpy(np.int64)
    ratio = log["playing_time"].to_numpy(np.int64) / duration
    group = exits(log)[0] if within_length else np.zeros(len(log), dtype=np.int64)
    new = np.empty_like(ratio)
    for g in np.unique(group):
        rows = np.flatnonzero(group == g)
        new[rows] = ratio[rng.permutation(rows)]
    watch = np.round(new * duration).astype(np.int64)
    watch = np.where(new >= 1, np.maximum(watch, duration), np.clip(watch, 1, duration - 1))
    return log.assign(playing_time=watch)
