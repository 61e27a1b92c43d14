"""TPM: tree-based progressive regression (Lin et al., KDD 2023, doi 10.1145/3580305.3599919).

Watch time is cut into intervals of equal count, the leaves of a binary tree. A classifier at each inner node says
whether a watch time that lies in the node lies in its upper half, so P(leaf) is the product along its path. With the
mean T_l of each leaf,

    E[T] = sum_l p_l T_l,   Var[T] = sum_l p_l T_l^2 - E[T]^2,
    L = - ln p_leaf + a Var[T] + b (T - E[T])^2,

here with Var and error in units of the training targets' variance. One tree serves all views: duration is among the
features and, with ``target=share``, divides the label, in place of the paper's backdoor adjustment by duration groups.
The distribution is that of the leaves, evenly spread inside each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.models.base import Arrays
from segmodel.models.settings import Search
from segmodel.models.watch_time.backbone import WatchBatch
from segmodel.models.watch_time.model import SHARE, WatchTimeConfig, WatchTimeModel
from segmodel.models.watch_time.thresholds import distribution_of, inner_thresholds
from segmodel.watch_distribution import WatchDistribution


@dataclass(frozen=True)
class TPMConfig(WatchTimeConfig):
    """Settings of TPM."""

    search: ClassVar[Search] = {**WatchTimeConfig.search, "leaves": (16, 32), "variance_weight": (0.1, 0.01)}

    leaves: int = 16
    variance_weight: float = 0.1
    error_weight: float = 0.1


def tree_paths(leaves: int) -> np.ndarray:
    """(leaves, leaves - 1): 1 where the path to a leaf takes a node's upper half, -1 the lower, 0 where it passes by.

    A node halves its leaves; nodes are numbered from the root, lower halves first.
    """
    paths = np.zeros((leaves, leaves - 1))
    waiting, node = [(0, leaves)], 0
    while waiting:
        first, end = waiting.pop(0)
        if end - first < 2:
            continue
        middle = (first + end + 1) // 2
        paths[first:middle, node], paths[middle:end, node] = -1.0, 1.0
        node += 1
        waiting += [(first, middle), (middle, end)]
    return paths


def leaf_log_probabilities(logits: Tensor, paths: Tensor) -> Tensor:
    """(B, leaves) from the nodes' logits of "upper half", (B, leaves - 1)."""
    return (
        F.logsigmoid(logits) @ (paths > 0).to(logits.dtype).T + F.logsigmoid(-logits) @ (paths < 0).to(logits.dtype).T
    )


def tpm_loss(logits: Tensor, target: Tensor, scale: Arrays, variance_weight: float, error_weight: float) -> Tensor:
    """Averaged over B views."""
    paths, mean, thresholds = (_tensor(scale[k], logits) for k in ("paths", "leaf_mean", "thresholds"))
    logp = leaf_log_probabilities(logits, paths)
    leaf = torch.bucketize(target, thresholds, right=True)
    p = logp.exp()
    expected = p @ mean
    variance = p @ mean**2 - expected**2
    squares = variance_weight * variance + error_weight * (target - expected) ** 2
    return (squares / float(scale["variance"][0]) - logp.gather(1, leaf[:, None])[:, 0]).mean()


class TPM(WatchTimeModel):
    """A tree of conditional classifiers."""

    Config = TPMConfig
    config: TPMConfig

    def learn_scale(self, views: Views) -> Arrays:
        target = self.targets(views)
        levels = np.arange(1, self.config.leaves) / self.config.leaves
        thresholds = inner_thresholds(target, levels, self.config.target == SHARE)
        leaf = np.searchsorted(thresholds, target, side="right")
        leaves = len(thresholds) + 1
        count = np.bincount(leaf, minlength=leaves)
        lower = np.concatenate([[0.0], thresholds])
        mean = np.divide(np.bincount(leaf, target, leaves), count, out=lower, where=count > 0)
        return {
            "thresholds": thresholds,
            "leaf_mean": mean,
            "paths": tree_paths(leaves),
            "variance": np.array([max(float(target.var()), 1e-6)]),
            "top": np.array([float(target.max())]),
        }

    def outputs(self) -> int:
        return len(self.scale["thresholds"])

    def loss(self, output: Tensor, batch: WatchBatch) -> Tensor:
        return tpm_loss(output, batch.target, self.scale, self.config.variance_weight, self.config.error_weight)

    def answer(self, output: Float64, views: Views) -> tuple[WatchDistribution, Float64]:
        logits = torch.from_numpy(output)
        p = leaf_log_probabilities(logits, _tensor(self.scale["paths"], logits)).exp().numpy()
        thresholds = self.scale["thresholds"]
        reaches = np.cumsum(p[:, ::-1], axis=1)[:, ::-1][:, 1:]
        if self.config.target != SHARE:
            # The last leaf ends at the longest watch time of the training views.
            thresholds = np.append(thresholds, max(float(self.scale["top"][0]), thresholds[-1]))
            reaches = np.concatenate([reaches, np.zeros((len(p), 1))], axis=1)
        unit = self.unit_s(views)
        expected: Float64 = (p @ self.scale["leaf_mean"]) * unit
        return distribution_of(thresholds, reaches, unit, views.picture_s), expected


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)
