"""Several trained networks as one, for the many videos that one user may watch next.

It computes what :class:`~segmodel.models.hazard.network.HazardNetwork` does, in few large products: layers of all
networks side by side, the user read once, videos by their remembered states, and real segments only.

Tensor letters: K networks, V videos, T segments, H viewed segments, C modalities.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.models.hazard.features import SEGMENT_FEATURES
from segmodel.models.hazard.network import RESIDUAL_SCALE, HazardNetwork
from segmodel.models.hazard.taste import EVIDENCE, ContentTaste, taste_of

_BLOCK = 256
"""Segments compared with a history at a time, so that their kernels stay in the processor's cache."""


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

    view: Tensor
    base: Tensor
    key: Tensor
    value: Tensor
    shift: Tensor


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

    view: Tensor
    owner: Tensor
    place: Tensor
    offset: Tensor
    residual: Tensor


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

    unit: Tensor
    valid: Tensor
    viewed: Tensor
    evidence: Tensor
    slot: Tensor


class NetworkStack:
    """K networks of the same sizes.

    Parameters
    ----------
    networks : sequence of HazardNetwork
        Whose weights change no more.
    of_video : slice
        Columns of a view that the video decides.

    Attributes
    ----------
    residual_width : int
        K · rank.
    """

    def __init__(self, networks: Sequence[HazardNetwork], of_video: slice) -> None:
        self._of_video = of_video
        histories = [n.history for n in networks]
        self._heads = histories[0].heads
        self._token = [_Layers(cast(nn.Linear, h.token[i]) for h in histories) for i in (0, 2)]
        self._age, self._query = _Layers(h.age for h in histories), _Layers(h.query for h in histories)
        self._key, self._value = _Layers(h.key for h in histories), _Layers(h.value for h in histories)
        self._norm = [
            _stacked(p)[:, None] for p in ((h.norm.weight for h in histories), (h.norm.bias for h in histories))
        ]
        first = _Layers(n.input for n in networks)
        view, d = self._query.weight.shape[1:]
        self._of_view, self._of_user, self._of_context = first.weight.split([view, first.inputs - view - d, d], dim=1)
        self._first_bias = first.bias
        self._hidden, self._state = _Layers(n.hidden for n in networks), _Layers(n.state for n in networks)
        self._from_start = _stacked(n.from_start.weight for n in networks)
        self._from_end = _stacked(n.from_end.weight for n in networks)
        segment = _Layers(n.segment for n in networks)
        tastes = segment.inputs - SEGMENT_FEATURES - 2 * self._from_start.shape[2]
        self._of_place, self._of_taste = segment.weight.split([segment.inputs - tastes, tastes], dim=1)
        self._place_bias = segment.bias
        self.residual_width = len(networks) * segment.weight.shape[2]
        if tastes:
            self._stack_tastes(networks)

    @torch.no_grad()
    def _stack_tastes(self, networks: Sequence[HazardNetwork]) -> None:
        self._taste_weight = _stacked(n.taste_weight for n in networks)[:, None]
        modules = [[cast(ContentTaste, n.taste[m]) for n in networks] for m in networks[0].taste]

        def numbers(name: str) -> Tensor:
            return F.softplus(torch.stack([_stacked(cast(Tensor, getattr(t, name)) for t in each) for each in modules]))

        sharpness, prior, trust = (numbers(name) for name in ("sharpness", "prior", "trust"))
        # exp(b (cos - 1)) = 2^(cos · b / ln 2) · exp(-b), and powers of two are cheaper.
        self._exponent = (sharpness / math.log(2))[..., None]
        self._level = torch.exp(-sharpness)[..., None, None]
        self._prior, self._trust = prior[..., None], trust[..., None]
        self._steps = modules[0][0].steps
        self._most = None if modules[0][0].most is None else numbers("most")[..., None]

    def user(self, view: Tensor, user: Tensor, token: Tensor, age: Tensor, shift: Tensor) -> UserState:
        """Read a user: standardised columns of a view (·,) and of the user (·,), and the history's views (views, ·)."""
        x = self._token[1](F.gelu(self._token[0](token))) + self._age(age)
        scale, bias = self._norm
        x = F.layer_norm(x, x.shape[-1:]) * scale + bias
        # A key of zeros with a value of zeros lets a target attend to nothing.
        key, value = (F.pad(self._by_head(layer(x)), (0, 0, 0, 1)) for layer in (self._key, self._value))
        return UserState(
            view, self._first_bias + user[None] @ self._of_user, key / math.sqrt(key.shape[2]), value, shift
        )

    def place(self, features: Tensor, segment: Tensor, to_end: Tensor) -> Tensor:
        """What segments (T,) give the residual (T, K · rank), their content aside; ``features`` (T, 14)."""
        features = features.expand(len(self._from_start), -1, -1)
        columns = torch.cat([features, self._from_start[:, segment], self._from_end[:, to_end]], dim=2)
        return torch.baddbmm(self._place_bias, columns, self._of_place).transpose(0, 1).flatten(1)

    def hazard(self, user: UserState, videos: VideoBatch, contents: Contents | None) -> Tensor:
        """(T,) averaged over the networks."""
        state = RESIDUAL_SCALE * self._state(self._read(user, videos.view))
        by_video = state.transpose(0, 1).flatten(1)
        logit = (by_video.index_select(0, videos.owner) * videos.residual).unflatten(1, (len(state), -1)).sum(dim=2)
        logit = logit.T + (videos.offset + user.shift[videos.place])
        if contents is not None:
            pull = (self._taste_weight + state @ self._of_taste.transpose(1, 2)).transpose(1, 2)
            logit = logit + (self._taste(contents) * pull.index_select(2, videos.owner)).sum(dim=1)
        return torch.sigmoid(logit).mean(dim=0)

    def _read(self, user: UserState, of_video: Tensor) -> Tensor:
        """(K, V, width) states of the user before each video."""
        view = user.view.repeat(len(of_video), 1)
        view[:, self._of_video] = of_video
        weights = torch.bmm(self._by_head(self._query(view)), user.key.transpose(1, 2)).softmax(dim=2)
        context = torch.bmm(weights, user.value).unflatten(0, (-1, self._heads)).transpose(1, 2).flatten(2)
        z = torch.baddbmm(user.base, view.expand(len(context), -1, -1), self._of_view)
        z = F.gelu(torch.baddbmm(z, context, self._of_context))
        return z + F.gelu(self._hidden(z))

    def _taste(self, c: Contents) -> Tensor:
        """(K, heads, T)"""
        kinds = self._trust.shape[:2]
        history = (c.unit[c.viewed] * self._exponent).flatten(1, 3).transpose(0, 1)
        heard = c.evidence * c.valid[c.viewed].T[:, None]
        evidence = (heard[:, None, None] * self._level).flatten(0, 2)
        sums = torch.empty(len(history), EVIDENCE, len(c.slot))
        unit = c.unit.flatten(1)
        for start in range(0, len(c.slot), _BLOCK):
            block = slice(start, start + _BLOCK)
            target = unit.index_select(0, c.slot[block]).unflatten(1, (len(history), -1)).permute(1, 2, 0)
            sums[..., block] = torch.bmm(evidence, torch.bmm(history, target).exp2_())
        left, weight, expected = sums.unflatten(0, (*kinds, -1)).unbind(dim=3)
        trust = self._trust * c.valid[c.slot].T[:, None]
        share = trust / (trust.sum(dim=0) + 1e-6)
        taste = taste_of((left, weight, expected), self._prior, self._most, self._steps)
        return (taste * share[:, :, None]).sum(dim=0)

    def _by_head(self, x: Tensor) -> Tensor:
        """(K · heads, N, ·) of (K, N, width)."""
        return x.unflatten(2, (self._heads, -1)).transpose(1, 2).flatten(0, 1)


class _Layers:
    """One linear layer of each network; (K, N, ·) of inputs (K, N, ·), or (N, ·) for all."""

    def __init__(self, layers: Iterable[nn.Linear]) -> None:
        layers = list(layers)
        self.weight = _stacked(x.weight.T for x in layers)
        self.bias = _stacked(x.bias for x in layers)[:, None]
        self.inputs = self.weight.shape[1]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x.expand(len(self.weight), -1, -1), self.weight)


def _stacked(parts: Iterable[Tensor]) -> Tensor:
    """Weights side by side, where they cannot be trained any further."""
    return torch.stack([p.detach().cpu() for p in parts])
