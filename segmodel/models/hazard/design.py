"""What the networks of the default model are made of: sizes, and numbers that nobody learns."""

from __future__ import annotations

from dataclasses import dataclass

EVIDENCE = 3
"""Numbers that a viewed segment gives for tastes: left - h, h (1 - h) and h, where h was expected."""

RESIDUAL_SCALE = 0.3
"""Of what states add to the base hazard."""

LEAST_PRIOR = 0.1
"""Added to the learned precision of a taste's prior, so that no taste is without bounds."""

LARGEST_STEP_FROM = 4.0
"""Log-odds beyond which no Newton step to a taste starts."""


@dataclass(frozen=True)
class Widths:
    """Sizes of inputs and layers."""

    view: int
    user: int
    token: int
    max_segments: int
    width: int = 64
    heads: int = 4
    rank: int = 8
    position: int = 8
    taste_heads: int = 1
    taste_dim: int = 16
    dropout: float = 0.3
    input_dropout: float = 0.1
    taste_steps: int = 3
    taste_bounded: bool = True
