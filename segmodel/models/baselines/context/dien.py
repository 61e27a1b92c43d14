"""DIEN (Zhou et al., AAAI 2019, doi 10.1609/aaai.v33i01.33015941)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes, mlp
from segmodel.models.baselines.fields import FIELDS, FieldEmbedding, History
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.objectives import pointwise_loss
from segmodel.models.baselines.recommender import ItemNetwork, Recommender, RecommenderConfig
from segmodel.models.settings import Search


@dataclass(frozen=True)
class DIENConfig(RecommenderConfig):
    """Settings of DIEN."""

    search: ClassVar[Search] = {**RecommenderConfig.search, "auxiliary": (0.5, 0.1)}

    history: int = 10
    layers: int = 2
    auxiliary: float = 0.5
    """Weight of the auxiliary loss."""


class AttentionalGRU(nn.Module):
    """AUGRU: the attention to each step scales the update gate.

    u' = a · u, h = (1 - u') * h + u' * n, with u, r, n as in a GRU: what the target does not ask for leaves the state
    as it is.
    """

    def __init__(self, inputs: int, d: int) -> None:
        super().__init__()
        self.input, self.state = nn.Linear(inputs, 3 * d), nn.Linear(d, 3 * d)
        self.d = d

    def forward(self, steps: Tensor, attention: Tensor) -> Tensor:
        """Last state (T, d) of steps (T, H, inputs) with attention (T, H), zeros on padding."""
        state = steps.new_zeros(len(steps), self.d)
        inputs = self.input(steps)
        for j in range(steps.shape[1]):
            xu, xr, xn = inputs[:, j].chunk(3, dim=-1)
            hu, hr, hn = self.state(state).chunk(3, dim=-1)
            update = attention[:, j, None] * torch.sigmoid(xu + hu)
            new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
            state = (1 - update) * state + update * new
        return state


class InterestEvolution(nn.Module):
    """Interest extractor (GRU), attention of the target, interest evolution (AUGRU): a_j = softmax_j(h_j W v_A)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.extractor = nn.GRU(d, d, batch_first=True)
        self.attend = nn.Linear(d, d, bias=False)
        self.evolution = AttentionalGRU(d, d)

    def interests(self, history: History) -> Tensor:
        """States h_j (B, H, d). Padding lies before the first step, as zeros that a padding-free run does not see."""
        # Left-aligned, so that padding comes after the steps and cannot change their states.
        length = history.mask.sum(dim=1, keepdim=True)
        column = torch.arange(history.mask.shape[1], device=history.mask.device)[None, :]
        shift = history.mask.shape[1] - length
        left = torch.take_along_dim(history.vectors, ((column + shift) % history.mask.shape[1])[..., None], dim=1)
        states, _ = self.extractor(left)
        right = torch.take_along_dim(states, ((column - shift) % history.mask.shape[1])[..., None], dim=1)
        return right * history.mask[..., None]

    def evolved(self, history: History, states: Tensor, target: Tensor, items: Items) -> Tensor:
        """The interest (T, d) that each target (T, d) finds in the states of its view."""
        found, mask = states[items.view], history.mask[items.view]
        logits = (self.attend(found) @ target[..., None])[..., 0]
        attention = logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(dim=-1) * mask
        interest: Tensor = self.evolution(found, attention)
        return interest


class DIENNetwork(InterestEvolution, ItemNetwork):
    """MLP on the fields and the evolved interest.

    Auxiliary loss: the state h_j should tell the next viewed segment from a segment of somebody else's history,
    - ln sigma(h_j · e_{j+1}) - ln sigma(-h_j · e'_{j+1}).
    """

    def __init__(self, config: DIENConfig, sizes: Sizes) -> None:
        super().__init__(config.d)
        d, self.length, self.auxiliary = config.d, config.history, config.auxiliary
        self.embed = FieldEmbedding(sizes, d)
        self.deep = mlp([(len(FIELDS) + 1) * d, *[d] * config.layers, 1], config.dropout)

    def score(self, batch: Batch, items: Items, history: History, states: Tensor) -> Tensor:
        """Scores (T,)."""
        interest = self.evolved(history, states, self.embed.target(batch, items), items)
        score: Tensor = self.deep(torch.cat([self.embed(batch, items).flatten(1), interest], dim=1))[:, 0]
        return score

    def forward(self, batch: Batch, items: Items) -> Tensor:
        history = self.embed.history(batch, self.length)
        return self.score(batch, items, history, self.interests(history))

    def loss(self, batch: Batch, items: Items, label: Tensor) -> Tensor:
        history = self.embed.history(batch, self.length)
        states = self.interests(history)
        click = pointwise_loss(self.score(batch, items, history, states).float(), label)
        return click + self.auxiliary * auxiliary_loss(states, history)


def auxiliary_loss(states: Tensor, history: History) -> Tensor:
    """- ln sigma(h_j · e_{j+1}) - ln sigma(-h_j · e'_{j+1}), mean over real steps; e' from another view."""
    other = torch.roll(torch.arange(len(states), device=states.device), 1)
    real = history.mask[:, :-1] & history.mask[:, 1:]
    real = real & history.mask[other, 1:]
    now, following, foreign = states[:, :-1], history.vectors[:, 1:], history.vectors[other, 1:]
    terms = F.softplus(-(now * following).sum(dim=-1)) + F.softplus((now * foreign).sum(dim=-1))
    return torch.where(real, terms, 0.0).sum() / real.sum().clamp(min=1)


class DIEN(Recommender):
    """DIEN on user, video, segment, length and the newest viewed segments."""

    Config = DIENConfig
    config: DIENConfig

    def make_network(self, sizes: Sizes, structure: Arrays) -> DIENNetwork:
        return DIENNetwork(self.config, sizes)
