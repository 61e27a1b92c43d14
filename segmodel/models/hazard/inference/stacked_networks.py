"""Several trained networks as one, for the many videos that one user may watch next.

It computes what :class:`~segmodel.models.hazard.network.HazardNetwork` does, in few large products: layers of all
networks side by side, the user read once, videos by their remembered states, and real segments only. It needs their
weights alone, and no torch: a question about one user is answered in less time than torch takes to load.

Array letters: K networks, V videos, T segments, H viewed segments, C modalities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float32, Int64
from segmodel.data.views import Rows
from segmodel.models.base import Arrays, arrays_under, named_arrays
from segmodel.models.hazard.design import EVIDENCE, RESIDUAL_SCALE
from segmodel.models.hazard.features import SEGMENT_FEATURES
from segmodel.models.hazard.inference.elementwise import exp2_in_place, gelu
from segmodel.models.hazard.inference.posterior import taste_of
from segmodel.models.hazard.members import Members

_BLOCK = 256
"""Segments compared with a history at a time, so that their kernels stay in the processor's cache."""

_NORM_EPSILON = 1e-5
"""What torch adds to the variance of a layer that it standardises."""


@dataclass(frozen=True, eq=False)
class UserState:
    """A user at one moment.

    Attributes
    ----------
    view : float32 (·,)
        Standardised columns of a view; those of the video are anybody's.
    base : float32 (K, 1, width)
        The user's part of the state, before the first activation.
    key, value : float32 (K · heads, views + 1, ·)
        Of the history's views, and last of the null key.
    shift : float32 (3,)
        What the categories of user and context add to the log-odds of first, middle and last segments.
    """

    view: Float32
    base: Float32
    key: Float32
    value: Float32
    shift: Float32


@dataclass(frozen=True, eq=False)
class VideoBatch:
    """V videos with T segments in all, one video after the other.

    Attributes
    ----------
    view : float32 (V, ·)
        Standardised columns of a view that the video decides.
    owner : int64 (T,)
        Which of the videos a segment belongs to.
    place : int64 (T,)
        0 for the first, 1 for a middle, 2 for the last segment of its video.
    offset : float32 (T,)
        Base log-odds, with what the video's categories add.
    residual : float32 (T, K · rank)
        From :meth:`NetworkStack.place`.
    """

    view: Float32
    owner: Int64
    place: Int64
    offset: Float32
    residual: Float32


@dataclass(frozen=True, eq=False)
class Contents:
    """Unit vectors of content, as :class:`~segmodel.models.hazard.content_cache.SegmentStates` keeps them.

    Attributes
    ----------
    unit : float32 (slots, C, K, heads, ·)
    valid : bool (slots, C)
    viewed : int64 (H,)
        Slots of what the user has viewed.
    evidence : float32 (3, H)
        left - h, h (1 - h) and h of each.
    slot : int64 (T,)
        Slots of the segments in question.
    """

    unit: Float32
    valid: Bool
    viewed: Rows
    evidence: Float32
    slot: Rows


class NetworkStack:
    """K networks of the same sizes.

    Parameters
    ----------
    members : Members
    of_video : slice
        Columns of a view that the video decides.

    Attributes
    ----------
    residual_width : int
        K · rank.
    """

    def __init__(self, members: Members, of_video: slice) -> None:
        widths, weights = members.widths, members.weights
        self._of_video, self._heads = of_video, widths.heads
        history = [arrays_under(w, "history") for w in weights]
        self._token = [_Layers(history, f"token.{i}") for i in (0, 2)]
        self._age, self._query = _Layers(history, "age"), _Layers(history, "query")
        self._key, self._value = _Layers(history, "key"), _Layers(history, "value")
        self._norm = [_stacked(history, f"norm.{part}")[:, None] for part in ("weight", "bias")]
        first = _Layers(weights, "input")
        parts = [widths.view, widths.view + widths.user]
        self._of_view, self._of_user, self._of_context = np.split(first.weight, parts, axis=1)
        self._first_bias = first.bias
        self._hidden, self._state = _Layers(weights, "hidden"), _Layers(weights, "state")
        self._from_start, self._from_end = (_stacked(weights, f"from_{end}.weight") for end in ("start", "end"))
        segment = _Layers(weights, "segment")
        self._of_place, self._of_taste = np.split(segment.weight, [SEGMENT_FEATURES + 2 * widths.position], axis=1)
        self._place_bias = segment.bias
        self.residual_width = len(weights) * widths.rank
        if members.dims:
            self._stack_tastes(members)

    def _stack_tastes(self, members: Members) -> None:
        widths, weights = members.widths, members.weights
        self._taste_weight = _stacked(weights, "taste_weight")[:, None]

        def numbers(name: str) -> Float32:
            """softplus of what the tastes in each modality have learned, (C, K, ...)."""
            return np.logaddexp(np.float32(0), np.stack([_stacked(weights, f"taste.{m}.{name}") for m in members.dims]))

        sharpness, prior, trust = (numbers(name) for name in ("sharpness", "prior", "trust"))
        # exp(b (cos - 1)) = 2^(cos · b / ln 2) · exp(-b), and powers of two are cheaper.
        self._exponent = (sharpness / np.float32(math.log(2)))[..., None]
        self._level = np.exp(-sharpness)[..., None, None]
        self._prior, self._trust = prior[..., None], trust[..., None]
        self._steps = widths.taste_steps
        self._most = numbers("most")[..., None] if widths.taste_bounded else None

    def user(self, view: Float32, user: Float32, token: Float32, age: Float32, shift: Float32) -> UserState:
        """Read a user: standardised columns of a view (·,) and of the user (·,), and the history's views (views, ·)."""
        x = self._token[1](gelu(self._token[0](token))) + self._age(age)
        scale, bias = self._norm
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(_NORM_EPSILON)) * scale + bias
        # A key of zeros with a value of zeros lets a target attend to nothing.
        null = ((0, 0), (0, 1), (0, 0))
        key, value = (np.pad(self._by_head(layer(x)), null) for layer in (self._key, self._value))
        base = self._first_bias + user[None] @ self._of_user
        return UserState(view, base, key / np.float32(math.sqrt(key.shape[2])), value, shift)

    def place(self, features: Float32, segment: Rows, to_end: Rows) -> Float32:
        """What segments (T,) give the residual (T, K · rank), their content aside; ``features`` (T, 14)."""
        features = np.broadcast_to(features, (len(self._from_start), *features.shape))
        columns = np.concatenate([features, self._from_start[:, segment], self._from_end[:, to_end]], axis=2)
        return _side_by_side(columns @ self._of_place + self._place_bias)

    def hazard(self, user: UserState, videos: VideoBatch, contents: Contents | None) -> Float32:
        """(T,) averaged over the networks."""
        state = np.float32(RESIDUAL_SCALE) * self._state(self._read(user, videos.view))
        each = _side_by_side(state)[videos.owner] * videos.residual
        logit = each.reshape(len(each), len(state), -1).sum(axis=2).T + (videos.offset + user.shift[videos.place])
        if contents is not None:
            pull = (self._taste_weight + state @ self._of_taste.transpose(0, 2, 1)).transpose(0, 2, 1)
            logit = logit + (self._taste(contents) * pull[:, :, videos.owner]).sum(axis=1)
        found: Float32 = expit(logit).mean(axis=0)
        return found

    def _read(self, user: UserState, of_video: Float32) -> Float32:
        """(K, V, width) states of the user before each video."""
        view = np.tile(user.view, (len(of_video), 1))
        view[:, self._of_video] = of_video
        logits = self._by_head(self._query(view)) @ user.key.transpose(0, 2, 1)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        context = weights @ user.value / weights.sum(axis=2, keepdims=True)
        context = _by_network(context, self._heads)
        z = gelu(user.base + view @ self._of_view + context @ self._of_context)
        return z + gelu(self._hidden(z))

    def _taste(self, c: Contents) -> Float32:
        """(K, heads, T)"""
        kinds = self._trust.shape[:2]
        unit = c.unit.reshape(len(c.unit), -1, c.unit.shape[-1])
        history = (unit[c.viewed] * self._exponent.reshape(-1, 1)).swapaxes(0, 1)
        heard = c.evidence * c.valid[c.viewed].T[:, None]
        evidence = (heard[:, None, None] * self._level).reshape(len(history), EVIDENCE, len(c.viewed))
        sums = np.empty((len(history), EVIDENCE, len(c.slot)), np.float32)
        for start in range(0, len(c.slot), _BLOCK):
            block = slice(start, start + _BLOCK)
            target = unit[c.slot[block]].transpose(1, 2, 0)
            sums[..., block] = evidence @ exp2_in_place(history @ target)
        by_kind = sums.reshape(*kinds, -1, EVIDENCE, len(c.slot))
        left, weight, expected = (by_kind[:, :, :, i] for i in range(EVIDENCE))
        trust = self._trust * c.valid[c.slot].T[:, None]
        share = trust / (trust.sum(axis=0) + np.float32(1e-6))
        taste = taste_of((left, weight, expected), self._prior, self._most, self._steps)
        found: Float32 = (taste * share[:, :, None]).sum(axis=0)
        return found

    def _by_head(self, x: Float32) -> Float32:
        """(K · heads, N, ·) of (K, N, width)."""
        (members, rows, width), heads = x.shape, self._heads
        each = x.reshape(members, rows, heads, width // heads).swapaxes(1, 2)
        return each.reshape(members * heads, rows, width // heads)


class _Layers:
    """One linear layer of each network; (K, N, ·) of inputs (K, N, ·), or (N, ·) for all."""

    def __init__(self, weights: Sequence[Arrays], name: str) -> None:
        self.weight = np.ascontiguousarray(_stacked(weights, f"{name}.weight").swapaxes(1, 2))
        self.bias = _stacked(weights, f"{name}.bias")[:, None]

    def __call__(self, x: Float32) -> Float32:
        found: Float32 = x @ self.weight + self.bias
        return found


def _stacked(weights: Sequence[Arrays], name: str) -> Float32:
    return np.stack([named_arrays(w, name)[0] for w in weights])


def _side_by_side(x: Float32) -> Float32:
    """(N, K · ·) of (K, N, ·)."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def _by_network(x: Float32, heads: int) -> Float32:
    """(K, N, width) of (K · heads, N, ·)."""
    return x.reshape(-1, heads, *x.shape[1:]).swapaxes(1, 2).reshape(len(x) // heads, x.shape[1], -1)
