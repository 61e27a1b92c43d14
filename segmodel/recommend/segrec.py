"""SegRec: a recommender's network over the segments of a video, weighed (He et al., SIGIR 2025, section 5).

Any network of :mod:`segmodel.models.baselines` that needs no content serves as the backbone: it scores (user, video,
segment), and the video's logit is the weighted sum. Histories are the same under every weighing, so that figures tell
what weighing does to the target alone.

Tensor letters: B views, S segments, T items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segfeat.types import Bool, Float64
from segmodel.data.batch import Batch, Collator
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import Rows
from segmodel.data.vocabulary import Vocabulary
from segmodel.models import make_model
from segmodel.models.base import Arrays, FitRun
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.items import Items, all_items
from segmodel.models.baselines.recommender import ItemNetwork, Recommender
from segmodel.models.training import Schedule, one_thread, train_network
from segmodel.recommend import BACKBONES
from segmodel.recommend.weights import INTEREST, VIDEO, WEIGHINGS, SegmentWeights
from segmodel.survival import Array


@dataclass(frozen=True, eq=False)
class WeighedBatch:
    """A batch with what SegRec wants to know besides.

    Attributes
    ----------
    views : Batch
    interest : float32 (B, S)
        Of another model; zeros where it plays no part.
    effective : float32 (B,)
        1 for effective views, else 0; NaN where unknown.
    """

    views: Batch
    interest: Tensor
    effective: Tensor

    def to(self, device: str | torch.device) -> WeighedBatch:
        """The same batch on a device."""
        return WeighedBatch(self.views.to(device), self.interest.to(device), self.effective.to(device))


class SegRecNetwork(nn.Module):
    """sum_i w_i y'_i, y' the backbone's scores."""

    def __init__(self, backbone: ItemNetwork, weighing: str, slots: int) -> None:
        super().__init__()
        self.backbone, self.weighing, self.slots = backbone, weighing, slots
        self.weights = SegmentWeights(weighing, slots)

    def parts(self, batch: Batch, interest: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and scores of the segments, both (B, S), 0 on padding; not for ``video``."""
        items = all_items(batch.segments, end=False)
        scores = items.table(self.backbone(batch, items).float(), *batch.mask.shape)
        return self.weights(interest, batch.mask), scores

    def forward(self, batch: Batch, interest: Tensor) -> Tensor:
        """Logits (B,) that the views are effective."""
        if self.weighing == VIDEO:
            # The last slot is no segment of any video: it stands for the whole of one.
            whole = torch.full_like(batch.segments, self.slots - 1)
            return self.backbone(batch, Items(torch.arange(len(whole), device=whole.device), whole)).float()
        weights, scores = self.parts(batch, interest)
        return (weights * scores).sum(dim=1)


class SegRec:
    """A fitted or unfitted SegRec.

    Parameters
    ----------
    backbone : str
        A recommender of the registry that needs no content.
    settings : mapping
        Its settings.
    weighing : str

    Raises
    ------
    ValueError
        For an unknown or unfit backbone, setting or weighing.
    """

    def __init__(self, backbone: str, settings: Mapping[str, Any] | None = None, weighing: str = INTEREST) -> None:
        model = make_model(backbone, settings)
        if not isinstance(model, Recommender) or model.needs_content:
            raise ValueError(f"{backbone} is no backbone of SegRec; valid are {', '.join(BACKBONES)}")
        if weighing not in WEIGHINGS:
            raise ValueError(f"unknown weighing {weighing!r}; valid are {', '.join(WEIGHINGS)}")
        self.backbone, self.weighing, self._recommender = backbone, weighing, model
        self.config = model.config
        self.device = "cpu"

    @one_thread()
    def fit(self, data: Dataset, split: Split, effective: Bool, interest: Float64 | None, run: FitRun) -> None:
        """Binary cross-entropy on ``split.train``; the epoch with the least of it on ``split.valid`` is kept.

        Parameters
        ----------
        data : Dataset
            V views.
        split : Split
        effective : bool (V,)
        interest : float (V, S) or None
            Frozen interest in each view's segments; only the weighing ``interest`` needs it.
        run : FitRun
        """
        train = data.views.take(split.train)
        users, videos = Vocabulary.of(train.user_ids, train.user), Vocabulary.of(train.video_ids, train.video)
        self._build(users, videos, run.seed)
        self.device = run.device
        self.network.to(run.device)
        label, frozen = effective.astype(np.float32), self._frozen(data, interest)
        config, valid = self.config, split.valid

        def batches(generator: np.random.Generator) -> Iterator[WeighedBatch]:
            return self._batches(data, generator.permutation(split.train), frozen, label)

        def loss(batch: WeighedBatch) -> Tensor:
            logit = self.network(batch.views, batch.interest)
            return F.binary_cross_entropy_with_logits(logit.float(), batch.effective)

        def validate() -> float:
            return -float(
                np.logaddexp(0.0, np.where(label[valid] > 0, -1, 1) * self._logits(data, valid, frozen)).mean()
            )

        schedule = Schedule(
            config.epochs,
            config.batch_views,
            config.learning_rate,
            config.weight_decay,
            patience_updates=config.patience_updates,
        )
        train_network(self.network, batches, loss, validate, schedule, run, metric="valid_log_likelihood")

    def logits(self, data: Dataset, interest: Float64 | None = None) -> Float64:
        """(V,) log-odds that each view of ``data`` is effective."""
        return self._logits(data, np.arange(len(data)), self._frozen(data, interest))

    @one_thread()
    @torch.no_grad()
    def parts(self, data: Dataset, interest: Float64 | None = None) -> tuple[Float64, Float64]:
        """Weights and scores (V, S) of the segments, 0 on padding; the sum of their products is the logit."""
        width = self.config.max_segments
        weights, scores = np.zeros((len(data), width)), np.zeros((len(data), width))
        at = 0
        for batch in self._batches(data, np.arange(len(data)), self._frozen(data, interest)):
            there = batch.to(self.device)
            for whole, part in zip((weights, scores), self.network.parts(there.views, there.interest), strict=True):
                whole[at : at + len(part), : part.shape[1]] = part.cpu().numpy()
            at += len(batch.effective)
        return weights, scores

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What was learned: JSON-able facts and named arrays."""
        facts = {"users": list(self.users.ids), "videos": list(self.videos.ids)}
        return facts, {k: v.detach().cpu().numpy() for k, v in self.network.state_dict().items()}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Take over what :meth:`state` of an equal SegRec returned."""
        self._build(Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"])), seed=0)
        self.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        self.network.eval()
        self.device = "cpu"

    def _build(self, users: Vocabulary, videos: Vocabulary, seed: int) -> None:
        self.users, self.videos = users, videos
        self.collator = Collator(users, videos)
        torch.manual_seed(seed)
        slots = self.config.max_segments + 1
        backbone = self._recommender.make_network(Sizes(len(users), len(videos), slots), {})
        self.network = SegRecNetwork(backbone, self.weighing, slots)

    def _frozen(self, data: Dataset, interest: Array | None) -> Array:
        """Interest (V, S) as the network takes it."""
        if self.weighing == INTEREST and interest is None:
            raise ValueError("the weighing by interest needs the interest of a model")
        if interest is None or self.weighing != INTEREST:
            return np.zeros((len(data), self.config.max_segments), np.float32)
        return interest.astype(np.float32)

    def _batches(
        self, data: Dataset, rows: Rows, interest: Array, label: Array | None = None
    ) -> Iterator[WeighedBatch]:
        for start in range(0, len(rows), self.config.batch_views):
            part = rows[start : start + self.config.batch_views]
            batch = self.collator(data, part)
            known = label[part] if label is not None else np.full(len(part), np.nan, np.float32)
            weights = torch.from_numpy(interest[part, : batch.mask.shape[1]])
            yield WeighedBatch(batch, weights, torch.from_numpy(known))

    @one_thread()
    @torch.no_grad()
    def _logits(self, data: Dataset, rows: Rows, interest: Array) -> Float64:
        self.network.eval()
        found = [np.zeros(0)]
        for batch in self._batches(data, rows, interest):
            there = batch.to(self.device)
            found.append(self.network(there.views, there.interest).double().cpu().numpy())
        return np.concatenate(found)
