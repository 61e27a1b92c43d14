"""The backbone that all watch-time models share: the default model's own inputs and trunk, with another end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.dataset import Dataset, by_users
from segmodel.data.parts import TEST, TRAIN, VALID, SplitLog
from segmodel.data.splits import Split
from segmodel.data.traits import Traits
from segmodel.data.views import PART_VIEWS
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, arrays_under
from segmodel.models.hazard.batches import Batches
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.design import Widths
from segmodel.models.hazard.features import Scaler
from segmodel.models.hazard.fitting import make_scalers
from segmodel.models.hazard.network import HazardBatch, HistoryAttention
from segmodel.models.hazard.statistics import Statistics
from segmodel.models.hazard.tables import Tables

_SCALERS = ("view", "user", "token")


class Trunk(nn.Module):
    """The default model's attention to the last views and its state of a view, then one linear layer."""

    def __init__(self, w: Widths, outputs: int) -> None:
        super().__init__()
        self.history = HistoryAttention(w)
        self.input, self.hidden = nn.Linear(w.view + w.user + w.width, w.width), nn.Linear(w.width, w.width)
        self.output = nn.Linear(w.width, outputs)
        self.dropout, self.input_dropout = nn.Dropout(w.dropout), nn.Dropout(w.input_dropout)

    def forward(self, batch: HazardBatch) -> Tensor:
        """(B, outputs)"""
        context = self.history(batch.view, batch.token, batch.age, batch.token_mask)
        z = self.dropout(F.gelu(self.input(self.input_dropout(torch.cat([batch.view, batch.user, context], dim=1)))))
        found: Tensor = self.output(z + self.dropout(F.gelu(self.hidden(z))))
        return found


@dataclass(frozen=True, eq=False)
class WatchBatch:
    """B views with what a loss compares.

    Attributes
    ----------
    read : HazardBatch
        What the trunk reads.
    target : float32 (B,)
        What is learned: seconds, a share of the video, or a rank.
    group : int64 (B,)
        Group of the view's duration, for models that have any.
    """

    read: HazardBatch
    target: Tensor
    group: Tensor

    def to(self, device: str | torch.device) -> WatchBatch:
        """The same batch on a device."""
        return WatchBatch(self.read.to(device), self.target.to(device), self.group.to(device))


class LogInputs:
    """What a log says about views, as the default model reads it: statistics out of fold, of the right time.

    Views inside the log are read with statistics of its training and validation part, later ones with all of it.
    """

    def __init__(self, config: HazardConfig, users: Vocabulary, videos: Vocabulary, user_fold: np.ndarray) -> None:
        self.config = config
        self.statistics = Statistics(
            users, videos, user_fold, config.folds, config.prior_events, config.max_segments, "id" in config.modalities
        )

    @classmethod
    def learn(cls, config: HazardConfig, data: Dataset, split: Split, seed: int) -> LogInputs:
        """From the training rows; statistics that predictions read come from the later parts, too."""
        rows = np.sort(np.concatenate([split.train, split.valid, split.test]))
        log = data.views.take(rows)
        users, videos = Vocabulary.of(log.user_ids, log.user), Vocabulary.of(log.video_ids, log.video)
        fold = np.random.default_rng([seed, 0]).permutation(len(users)) % config.folds
        fold[0] = config.folds
        found = cls(config, users, videos, fold)
        found.last_ms = np.full(len(users), np.iinfo(np.int64).min)
        np.maximum.at(found.last_ms, users.table_codes(log.user_ids)[log.user], log.time_ms)
        parts = SplitLog.of(data, split)
        found.training = found.statistics.learn(parts.parts(TRAIN))
        found.timed = found.statistics.learn_by_time(parts.parts(TRAIN), found.training)
        found.batches = Batches(config, {}, make_scalers(parts.parts(TRAIN), found.statistics, found.training))
        found.inside = found.statistics.learn(parts.parts(TRAIN, VALID), means_of=found.training)
        found.after = found.statistics.learn(parts.parts(TRAIN, VALID, TEST), means_of=found.training)
        return found

    last_ms: np.ndarray
    training: Tables
    timed: Any
    batches: Batches
    inside: Tables
    after: Tables

    def widths(self, width: int, dropout: float) -> Widths:
        """Sizes of a trunk."""
        view, user, token = (len(scaler.mean) for scaler in self.batches.scalers)
        return Widths(view, user, token, self.config.max_segments, width=width, dropout=dropout)

    def epoch(self, train: Dataset, generator: np.random.Generator) -> Iterator[tuple[np.ndarray, HazardBatch]]:
        """Shuffled training rows and what is read of them, half of the users as if they had outlived the log."""
        c = self.config
        inputs_of = self.statistics.deployed_inputs(train, self.training, self.timed, generator, c.deployed_share)
        order = generator.permutation(len(train))
        for start in range(0, len(order), c.batch_views):
            rows = order[start : start + c.batch_views]
            part = train.take(rows)
            yield rows, self.batches.make(part, inputs_of(part), np.arange(len(part)), generator)

    def ask(self, data: Dataset, outputs: Callable[[HazardBatch], np.ndarray], width: int) -> np.ndarray:
        """``outputs`` (B, width) for every view of ``data``, from the statistics that it may see."""
        views = data.views
        code = self.statistics.users.table_codes(views.user_ids)[views.user]
        later = (code == 0) | (views.time_ms > self.last_ms[code])
        found = np.zeros((len(data), width))
        for tables, rows in ((self.inside, np.flatnonzero(~later)), (self.after, np.flatnonzero(later))):
            if len(rows):
                found[rows] = self.ask_with(data.take(rows), tables, outputs, width)
        return found

    def ask_with(
        self, data: Dataset, tables: Tables, outputs: Callable[[HazardBatch], np.ndarray], width: int
    ) -> np.ndarray:
        """The same, from the given statistics."""
        found = np.zeros((len(data), width))
        for rows, part in by_users(data, PART_VIEWS):
            inputs = self.statistics.inputs(part, tables)
            for start in range(0, len(part), 1024):
                some = np.arange(start, min(start + 1024, len(part)))
                found[rows[some]] = outputs(self.batches.make(part, inputs, some))
        return found

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """JSON-able facts and named arrays."""
        facts = {"users": list(self.statistics.users.ids), "videos": list(self.statistics.videos.ids)}
        arrays: Arrays = {"user_fold": self.statistics.user_fold, "last_ms": self.last_ms}
        for name, scaler in zip(_SCALERS, self.batches.scalers, strict=True):
            arrays |= {f"{name}.mean": scaler.mean, f"{name}.scale": scaler.scale}
        for name, tables in (("inside", self.inside), ("after", self.after)):
            arrays |= {f"{name}.{k}": v for k, v in tables.arrays().items()}
        return facts, arrays

    @classmethod
    def restored(cls, config: HazardConfig, facts: Mapping[str, Any], arrays: Arrays) -> LogInputs:
        """The inverse of :meth:`state`."""
        users, videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        found = cls(config, users, videos, arrays["user_fold"])
        found.last_ms = arrays["last_ms"]
        scalers = [Scaler(arrays[f"{n}.mean"], arrays[f"{n}.scale"]) for n in _SCALERS]
        found.batches = Batches(config, {}, scalers)
        found.inside, found.after = (
            Tables.of_arrays(arrays_under(arrays, name), Traits()) for name in ("inside", "after")
        )
        return found
