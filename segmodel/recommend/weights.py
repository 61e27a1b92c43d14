"""How the segments of a video count towards its score: y = sum_i w_i y'_i over its N segments.

``video`` has no segments: the backbone scores one item that stands for the whole video. ``segsum`` counts every segment
once, w_i = 1. ``segadjust`` learns w = softmax(a) with the backbone, one number a_i for each position. ``interest`` is
SegRec: w = softmax(p), p the frozen interest of another model (He et al., SIGIR 2025). Padding weighs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VIDEO, SEGSUM, SEGADJUST, INTEREST = WEIGHINGS = ("video", "segsum", "segadjust", "interest")


def softmax_weights(interest: Tensor, mask: Tensor) -> Tensor:
    """softmax over the real segments of each row (B, S); 0 where ``mask`` is False."""
    return interest.masked_fill(~mask, -torch.inf).softmax(dim=1)


class SegmentWeights(nn.Module):
    """The weights (B, S) of a weighing that has segments."""

    def __init__(self, weighing: str, slots: int) -> None:
        super().__init__()
        self.weighing = weighing
        if weighing == SEGADJUST:
            self.position = nn.Parameter(torch.zeros(slots))

    def forward(self, interest: Tensor, mask: Tensor) -> Tensor:
        """Weights (B, S) of segments with interest (B, S); only ``interest`` looks at it."""
        if self.weighing == SEGSUM:
            return mask.to(interest.dtype)
        if self.weighing == SEGADJUST:
            return softmax_weights(self.position[: mask.shape[1]].expand(mask.shape), mask)
        return softmax_weights(interest, mask)
