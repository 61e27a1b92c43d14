"""Slices: views with something in common, and whether a model does worse on them than on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from segfeat.types import Bool, Float64
from segmodel.evaluation.bootstrap import DRAWS, Interval, draw_users, holm
from segmodel.survival import Array

if TYPE_CHECKING:
    import pandas as pd

LEAST_VIEWS = 30
LEAST_USERS = 5
"""Smaller slices, or rests, say nothing and are left out."""

LEVEL = 0.05
"""Share of tables in which chance alone would mark a slice."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Views with something in common.

    Attributes
    ----------
    source, value : str
        As ``hour`` and ``18–23``.
    mask : bool (B,)
    """

    source: str
    value: str
    mask: Bool


@dataclass(frozen=True)
class SliceFigure:
    """A model on one slice.

    Attributes
    ----------
    source, value : str
    views, users : int
    nll, reference_nll : float
        Mean negative log-likelihood of the true exit, in nats, of the model and of the reference.
    gap : Interval
        What the model is ahead of the reference on the rest, minus what it is ahead on the slice: above 0 it does worse
        here. 95 % interval from resampling users.
    p : float
        That chance alone makes a gap so far from 0, two-sided.
    marked : bool
        Whether the gap stands out among all slices of the table (Holm 1979 at :data:`LEVEL`).
    """

    source: str
    value: str
    views: int
    users: int
    nll: float
    reference_nll: float
    gap: Interval
    p: float
    marked: bool


@dataclass(frozen=True)
class SliceTable:
    """All slices of a model, the worst first.

    Attributes
    ----------
    figures : tuple of SliceFigure
    small : int
        Slices left out because they, or their rests, have too few views or users.
    reference : str
        Name of the model that tells how hard each slice is.
    """

    figures: tuple[SliceFigure, ...]
    small: int
    reference: str

    def to_frame(self) -> pd.DataFrame:
        """One row per slice."""
        import pandas as pd

        columns = ("source", "value", "views", "users", "nll", "reference_nll", "p", "marked")
        return pd.DataFrame(
            [
                {**{c: getattr(f, c) for c in columns}, "gap": f.gap.mean, "low": f.gap.low, "high": f.gap.high}
                for f in self.figures
            ]
        )


def slice_table(
    slices: Sequence[Slice],
    nll: Float64,
    reference_nll: Float64,
    user: Array,
    reference: str,
    draws: int = DRAWS,
    seed: int = 0,
) -> SliceTable:
    """Hold a model on each slice against the same model on the rest.

    Slices differ in how hard they are: long videos have more places to leave in. So what is compared is how far the
    model is ahead of a simple reference, on the slice and on the rest.

    Parameters
    ----------
    slices : sequence of Slice
    nll, reference_nll : float (B,)
        Of each view.
    user : (B,)
        Who watched; any codes or ids.
    reference : str
    draws, seed : int
        Of the bootstrap.
    """
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max(initial=-1)) + 1
    behind = nll - reference_nll
    big = [s for s in slices if _big(s.mask, code) and _big(~s.mask, code)]
    if not big:
        return SliceTable((), len(slices), reference)
    masks = np.stack([s.mask for s in big], axis=1).astype(np.float64)
    count, total = _by_user(masks, code, users), _by_user(masks * behind[:, None], code, users)
    all_count = np.bincount(code, minlength=users).astype(np.float64)[:, None]
    all_total = np.bincount(code, behind, users)[:, None]

    def gaps(w: Float64) -> Float64:
        inside, outside = w @ count, w @ all_count - w @ count
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Float64 = (w @ total) / inside - (w @ all_total - w @ total) / outside
        return found

    mean, drawn = gaps(np.ones((1, users)))[0], gaps(draw_users(users, draws, seed))
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    p = 2 * ndtr(-np.abs(mean) / np.maximum(np.nanstd(drawn, axis=0), 1e-12))
    adjusted = holm(p.tolist())
    figures = [
        SliceFigure(
            s.source,
            s.value,
            int(s.mask.sum()),
            len(np.unique(code[s.mask])),
            float(nll[s.mask].mean()),
            float(reference_nll[s.mask].mean()),
            Interval(float(mean[i]), float(low[i]), float(high[i])),
            float(p[i]),
            adjusted[i] <= LEVEL,
        )
        for i, s in enumerate(big)
    ]
    figures.sort(key=lambda f: -f.gap.mean)
    return SliceTable(tuple(figures), len(slices) - len(big), reference)


def _big(mask: Bool, code: Array) -> bool:
    return int(mask.sum()) >= LEAST_VIEWS and len(np.unique(code[mask])) >= LEAST_USERS


def _by_user(columns: Float64, code: Array, users: int) -> Float64:
    return np.stack([np.bincount(code, column, users) for column in columns.T], axis=1)
