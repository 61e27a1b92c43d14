"""Training losses on slot scores (B, S + 1): the N segments and the end slot N; higher = stays."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def live_slots(segments: Tensor, width: int, max_segments: int) -> Tensor:
    """(B, width) True for the N segments and, where N < ``max_segments``, the end slot."""
    slot = torch.arange(width, device=segments.device)[None, :]
    return (slot < segments[:, None]) | ((slot == segments[:, None]) & (segments[:, None] < max_segments))


def intra_video_loss(score: Tensor, segments: Tensor, exit_: Tensor, max_segments: int) -> Tensor:
    """L = - sum_{j != y} ln sigma(p_j - p_y), averaged over views (He et al. 2025, Eq. 8).

    The exit slot should score lowest among the live slots. Views whose exit is no live slot (completed ones of
    ``max_segments`` segments) do not count.

    Parameters
    ----------
    score : float (B, S + 1)
    segments, exit_ : int64 (B,)
    max_segments : int

    Returns
    -------
    scalar
        0 where no view counts.
    """
    live = live_slots(segments, score.shape[1], max_segments)
    counted = live.gather(1, exit_[:, None])
    others = live & (torch.arange(score.shape[1], device=score.device)[None, :] != exit_[:, None]) & counted
    terms = -F.logsigmoid(score - score.gather(1, exit_[:, None]))
    return torch.where(others, terms, 0.0).sum() / counted.sum().clamp(min=1)


def watched_loss(score: Tensor, segments: Tensor, exit_: Tensor, max_segments: int) -> Tensor:
    """Binary cross-entropy per live slot: 0 where the view ended, 1 for the segments before it and for an end slot
    that was not reached; segments never reached are left out. Averaged over slots. Arguments as above.
    """
    slot = torch.arange(score.shape[1], device=score.device)[None, :]
    known = live_slots(segments, score.shape[1], max_segments) & (
        (slot <= exit_[:, None]) | (slot == segments[:, None])
    )
    target = (slot != exit_[:, None]).to(score.dtype)
    terms = F.binary_cross_entropy_with_logits(score, target, reduction="none")
    return torch.where(known, terms, 0.0).sum() / known.sum().clamp(min=1)


def hazard_loss(logit: Tensor, segments: Tensor, exit_: Tensor) -> Tensor:
    """Negative log-likelihood of the true exit under hazards sigma(logit), in nats, averaged over views.

    A skip in y contributes -ln h_y - sum_{j<y} ln(1 - h_j), a completion -sum_{j<N} ln(1 - h_j).
    """
    segment = torch.arange(logit.shape[1], device=logit.device)[None, :]
    real = segment < segments[:, None]
    stayed = real & (segment < exit_[:, None])
    left = real & (segment == exit_[:, None])
    terms = torch.where(stayed, F.softplus(logit), 0.0) + torch.where(left, F.softplus(-logit), 0.0)
    return terms.sum() / len(logit)
