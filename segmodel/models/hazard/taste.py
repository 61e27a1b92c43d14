"""Tastes in content: how a user has differed so far on segments that look, sound or read like this one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Content
from segmodel.models.hazard.design import EVIDENCE, LARGEST_STEP_FROM, LEAST_PRIOR

_PACE = 10.0
"""A taste's few numbers are learned this much faster than weights: an update moves either by as much at most."""


def posterior(sums: tuple[Tensor, Tensor, Tensor], prior: Tensor, steps: int) -> Tensor:
    """The log-odds b by which segments of one kind are left more readily than expected: a posterior mode.

    Parameters
    ----------
    sums : three tensors (...)
        Over viewed segments, each as far as it is of the kind: of left - h, h (1 - h) and h.
    prior : tensor
        Precision of the Gaussian prior of b, which broadcasts.
    steps : int
        Newton steps from b = 0. The first alone falls short where a user likes what others leave, and goes too far
        where it is the other way round.

    Notes
    -----
    As if every viewed segment had had one hazard q, the one with the same sums: n q = sum h, n q (1 - q) =
    sum h (1 - h). Then b solves sum left = n expit(logit q + b) + prior b. Exact where the segments were expected to be
    left alike; on simulated tastes as good as the exact sum, which costs an exponential for each pair of segments.
    """
    surprise, weight, expected = sums
    b: Tensor = surprise / (weight + prior)
    q = (1.0 - weight / expected.clamp(min=1e-6)).clamp(1e-3, 1.0 - 1e-3)
    n, odds = expected / q, torch.logit(q)
    for _ in range(steps - 1):
        b = b.clamp(-LARGEST_STEP_FROM, LARGEST_STEP_FROM)
        p = torch.sigmoid(odds + b)
        b = b + (surprise + expected - n * p - prior * b) / (n * p * (1.0 - p) + prior)
    return b


def levelled_off(taste: Tensor, most: Tensor) -> Tensor:
    """Log-odds that stay within ± ``most``, and are as they were where they are small beside it."""
    return most * torch.tanh(taste / most)


def taste_of(sums: tuple[Tensor, Tensor, Tensor], prior: Tensor, most: Tensor | None, steps: int) -> Tensor:
    """The :func:`posterior` of evidence under a learned prior, :func:`levelled_off` where there is a most."""
    taste = posterior(sums, prior + LEAST_PRIOR, steps)
    return taste if most is None else levelled_off(taste, most)


class ContentTaste(nn.Module):
    """How the user has surprised on segments that look, sound or read like this one, for one modality.

    Each head projects content to a unit vector; a past segment is of the target's kind as far as the kernel
    k = exp(b (cos - 1)) of the two says. The taste is what that evidence says; see :func:`taste_of`.

    Parameters
    ----------
    dim : int
        Of the content.
    heads : int
    size : int
        Of a head's vectors.
    dropout : float
        Of the content.
    steps : int
        Of the posterior.
    bounded : bool
        Whether it levels off.
    """

    def __init__(self, dim: int, heads: int, size: int, dropout: float, steps: int, bounded: bool) -> None:
        super().__init__()
        self.heads, self.steps = heads, steps
        self.scale = nn.LayerNorm(dim, elementwise_affine=False)
        self.project = nn.Linear(dim, heads * size)
        self.sharpness = fast(torch.full((heads,), 3.0))
        self.prior = fast(torch.zeros(heads))
        self.trust = fast(torch.zeros(()))
        self.most = fast(torch.full((heads,), 2.0)) if bounded else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, valid: Tensor, evidence: Tensor, content: Content) -> tuple[Tensor, Tensor]:
        """Taste (B, S, heads), and how far to trust it (B, S, 1): 0 where the segment has no such content.

        Parameters
        ----------
        rows : float (R, dim), or (R, heads, size)
            Content, or its :meth:`units`.
        valid : bool (R,)
        evidence : float (B or 1, H', 3)
            Of each viewed segment.
        content : Content
        """
        # Half precision has no room between cosines of .996 and 1, nor between a hazard of .998 and a certain one.
        with torch.autocast(rows.device.type, enabled=False):
            return self._taste(rows, valid, evidence, content)

    def _taste(self, rows: Tensor, valid: Tensor, evidence: Tensor, content: Content) -> tuple[Tensor, Tensor]:
        unit = rows if rows.dim() == 3 else self.units(rows)
        # One network's units may lie between those of others, and gathering from there takes twice as long.
        table = unit.flatten(1).contiguous()
        target, history = (F.embedding(r, table) for r in (content.segment_row, content.history_row))
        here, there = valid[content.segment_row], valid[content.history_row]
        evidence = evidence * there[..., None]
        # Where all views share a history, theirs is one long row of segments.
        flat = target.reshape(len(history), -1, target.shape[-1])
        pull = (self._kernel(flat, history) @ evidence[:, None]).transpose(1, 2)
        pull = pull.reshape(*here.shape, self.heads, EVIDENCE) * here[..., None, None]
        left, weight, expected = pull.unbind(dim=-1)
        most = None if self.most is None else F.softplus(self.most)
        taste = taste_of((left, weight, expected), F.softplus(self.prior), most, self.steps)
        return taste, F.softplus(self.trust) * here[..., None]

    def units(self, rows: Tensor) -> Tensor:
        """Content (R, dim) as unit vectors (R, heads, size)."""
        return F.normalize(self.project(self.dropout(self.scale(rows))).unflatten(-1, (self.heads, -1)), dim=-1)

    def _kernel(self, target: Tensor, history: Tensor) -> Tensor:
        """exp(b (cos - 1)), (B, heads, ·, H), of vectors (B, ·, heads · size) and (B, H, heads · size)."""
        target, history = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (target, history))
        sharpness = F.softplus(self.sharpness)[:, None, None]
        exponent = (target * sharpness) @ history.transpose(-1, -2) - sharpness
        return exponent.exp() if torch.is_grad_enabled() else exponent.exp_()


def fast(value: Tensor) -> nn.Parameter:
    """A parameter that is learned faster than others; see :class:`segmodel.models.training.Schedule`."""
    parameter = nn.Parameter(value)
    parameter.pace = _PACE  # type: ignore[attr-defined]
    return parameter
