"""Losses on labelled items: pointwise as click models are trained, pairwise as ranking models are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from segmodel.models.baselines.items import Items


def pointwise_loss(score: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy, averaged over the T items."""
    return F.binary_cross_entropy_with_logits(score, label)


def pairwise_loss(score: Tensor, label: Tensor, items: Items, views: int) -> Tensor:
    """BPR inside each view: - ln sigma(watched - left), averaged over pairs (Rendle et al. 2009).

    A view has at most one item with label 0; views without one have no pair. 0 where there is no pair at all.
    """
    left = label == 0
    left_score = score.new_zeros(views).index_put((items.view[left],), score[left])
    has_left = torch.zeros(views, dtype=torch.bool, device=score.device).index_fill(0, items.view[left], True)
    pair = (label > 0) & has_left[items.view]
    terms = -F.logsigmoid(score - left_score[items.view])
    return torch.where(pair, terms, 0.0).sum() / pair.sum().clamp(min=1)


def info_nce(one: Tensor, other: Tensor, temperature: float, cosine: bool = True) -> Tensor:
    """- mean_i ln (exp(s_ii / temperature) / sum_j exp(s_ij / temperature)), s_ij the likeness of rows i and j.

    Each row of ``one`` (P, d) should be most like the same row of ``other`` (P, d), by cosine or by dot product.
    """
    if cosine:
        one, other = F.normalize(one, dim=-1), F.normalize(other, dim=-1)
    likeness = (one @ other.T).float() / temperature
    return F.cross_entropy(likeness, torch.arange(len(one), device=one.device))
