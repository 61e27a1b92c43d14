"""Metrics of skip predictions: pure functions with one value per view, and measures of a whole set of views.

Two ranking protocols (array letters: B views, S segments, S + 1 slots; slot N is completion):

- *paper*: what He et al. 2025 count, always ``max_segments`` slots; a completed view's target is slot N, and completed
  views of ``max_segments`` segments, whose target would lie outside, are left out.
- *masked*: only views that were really skipped; candidates are only the N real segments.

Ties count against the model in both. A view that a metric does not count has the value NaN.
"""

from __future__ import annotations

import numpy as np

from segfeat.types import Bool, Float64
from segmodel.data.views import MAX_SEGMENTS
from segmodel.survival import Array, segment_mask

PROBABILITY_FLOOR = 1e-9
"""Smallest probability that the log-likelihood sees, so that one impossible exit costs 20.7 nats and not the mean."""


def paper_ranks(
    leave_score: Array,
    segments: Array,
    exit_: Array,
    knows_length: bool = True,
    max_segments: int = MAX_SEGMENTS,
) -> Float64:
    """Rank of the exit slot under the paper's protocol.

    Parameters
    ----------
    leave_score : float (B, S + 1)
        Higher = leaves there.
    segments : int (B,)
        N.
    exit_ : int (B,)
        0 .. N.
    knows_length : bool
        True: slots beyond N rank last. False: all ``max_segments`` slots compete, as in the public code.
    max_segments : int
        Slots that are ranked.

    Returns
    -------
    float64 (B,)
        1 = first; NaN where the exit is slot ``max_segments``.

    Raises
    ------
    ValueError
        If all slots should compete and some have no score.
    """
    slot = np.arange(leave_score.shape[1])[None, :]
    candidates = np.broadcast_to(slot < max_segments, leave_score.shape)
    if knows_length:
        candidates = candidates & (slot <= np.asarray(segments)[:, None])
    elif leave_score.shape[1] < max_segments:
        raise ValueError(f"{leave_score.shape[1]} slots have a score; a model blind to length needs all {max_segments}")
    return _ranks(leave_score, exit_, candidates)


def masked_ranks(leave_score: Array, segments: Array, exit_: Array) -> Float64:
    """Rank (B,) of the skipped segment among the N real ones; NaN for completed views. Arguments as above."""
    return _ranks(leave_score, exit_, segment_mask(segments, leave_score.shape[1]))


def _ranks(score: Array, exit_: Array, candidates: Bool) -> Float64:
    rows, exit_ = np.arange(len(score)), np.asarray(exit_)
    there = (exit_ >= 0) & (exit_ < score.shape[1])
    slot = np.where(there, exit_, 0)
    # "Not below the target" counts ties, and scores that are no numbers, against the model.
    rank = (candidates & ~(score < score[rows, slot][:, None])).sum(axis=1)
    return np.where(there & candidates[rows, slot], rank, np.nan)


def hit(ranks: Float64, k: int) -> Float64:
    """HR@K of each view: 1 where its rank is at most K, else 0; NaN stays NaN."""
    return np.where(np.isnan(ranks), np.nan, ranks <= k)


def ndcg(ranks: Float64, k: int) -> Float64:
    """NDCG@K of each view: 1 / log2(rank + 1) where its rank is at most K, else 0; NaN stays NaN."""
    gain: Float64 = hit(ranks, k) / np.log2(ranks + 1.0)
    return gain


def exit_nll(slots: Array, exit_: Array) -> Float64:
    """Negative log-likelihood (B,) of the true exits under exit probabilities (B, S + 1), in nats."""
    return -np.log(np.maximum(slots[np.arange(len(slots)), exit_], PROBABILITY_FLOOR))


def exit_brier(slots: Array, exit_: Array) -> Float64:
    """Brier score (B,) over all N + 1 slots: sum_s (P(exit = s) - [exit = s])^2, in 0 .. 2 (Brier 1950)."""
    score: Float64 = (slots**2).sum(axis=1) - 2.0 * slots[np.arange(len(slots)), exit_] + 1.0
    return score


def concordance(predicted: Array, actual: Array) -> float:
    """Share of pairs of views that ``predicted`` puts in the order of ``actual``; exact, in O(B log B).

    Pairs with equal ``actual`` do not count, ties in ``predicted`` count half. With watch times this is XAUC, with
    outcomes 0 and 1 it is AUC.

    Parameters
    ----------
    predicted, actual : float (B,)

    Returns
    -------
    float
        0 .. 1; NaN where no pair counts.
    """
    pairs = len(actual) * (len(actual) - 1) / 2
    counted = pairs - _tied_pairs(actual)
    if not counted:
        return float("nan")
    untied = pairs - _tied_pairs(predicted)
    if not untied:
        return 0.5
    # tau-b = (concordant - discordant) / sqrt(pairs untied in one · pairs untied in the other)
    from scipy.stats import kendalltau  # takes as long to import as the rest of this package

    tau = kendalltau(predicted, actual).statistic
    return float(0.5 + 0.5 * tau * np.sqrt(untied / counted))


def _tied_pairs(values: Array) -> float:
    count = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((count * (count - 1) / 2).sum())
