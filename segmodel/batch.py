"""Batch: what a network sees of some views.

Tensor letters: B views, S segments, H history segments, R content rows, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segfeat.store import FeatureStore
from segmodel.dataset import Dataset
from segmodel.views import UNKNOWN
from segmodel.vocabulary import Vocabulary

CONTENT = ("visual", "audio", "text")
"""Content modalities; ``id`` is the remaining one."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B views with their histories; padding is told by masks, never by zeros.

    Content stands once per distinct segment of the batch, in ``content[m]`` (R, D), so that a network can project it
    once however many histories share it. Row 0 is "no content".

    Attributes
    ----------
    user : int64 (B,)
        Vocabulary code; 0 = unknown.
    video : int64 (B,)
        Vocabulary code; 0 = unknown.
    segments : int64 (B,)
        N.
    mask : bool (B, S)
        True = one of the N real segments; S is the largest N of the batch.
    segment_row : int64 (B, S)
        Row of each target segment in ``content``.
    history_video : int64 (B, H)
        Vocabulary code of the video each history segment belongs to.
    history_segment : int64 (B, H)
        Index of the segment in that video.
    history_row : int64 (B, H)
    history_mask : bool (B, H)
        Oldest first, right-aligned.
    content : modality -> float32 (R, D)
    content_valid : modality -> bool (R,)
    exit : int64 (B,)
        0 .. N; -1 where unknown.
    """

    user: Tensor
    video: Tensor
    segments: Tensor
    mask: Tensor
    segment_row: Tensor
    history_video: Tensor
    history_segment: Tensor
    history_row: Tensor
    history_mask: Tensor
    content: Mapping[str, Tensor]
    content_valid: Mapping[str, Tensor]
    exit: Tensor

    @property
    def completed(self) -> Tensor:
        """(B,) whether the view reached the end."""
        return self.exit == self.segments

    def to(self, device: str | torch.device) -> Batch:
        """The same batch on a device."""
        moved: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            moved[f.name] = (
                value.to(device, non_blocking=True)
                if isinstance(value, Tensor)
                else {k: v.to(device, non_blocking=True) for k, v in value.items()}
            )
        return replace(self, **moved)


@dataclass(frozen=True)
class Collator:
    """Turns views of a dataset into batches.

    Attributes
    ----------
    users, videos : Vocabulary
        Of the training views.
    modalities : tuple of str
        Content modalities to gather; each must be in the dataset's store.
    """

    users: Vocabulary
    videos: Vocabulary
    modalities: tuple[str, ...] = ()

    def __call__(self, data: Dataset, rows: npt.NDArray[Any]) -> Batch:
        """The batch of the given view rows."""
        views, past = data.views, data.past
        user_code = self.users.table_codes(views.user_ids)
        video_code = self.videos.table_codes(views.video_ids)
        segments = views.segments[rows].astype(np.int64)
        width = int(segments.max(initial=1))
        mask = np.arange(width)[None, :] < segments[:, None]
        past_row, history_segment = data.history_segments(rows)
        history_mask = past_row >= 0
        history_video = np.where(history_mask, video_code[past.video[past_row]], 0)

        target_store = _store_rows(data.store, views.store_row[rows][:, None], np.arange(width)[None, :], mask)
        history_store = _store_rows(data.store, past.store_row[past_row], history_segment, history_mask)
        distinct, inverse = np.unique(
            np.concatenate([target_store.ravel(), history_store.ravel()]), return_inverse=True
        )
        # Row 0 of the content stands for "not in the store", which unique() puts first when it occurs.
        if len(distinct) and distinct[0] == UNKNOWN:
            distinct = distinct[1:]
        else:
            inverse = inverse + 1
        content, valid = _gather(data.store, self.modalities, distinct)
        return Batch(
            user=torch.from_numpy(user_code[views.user[rows]]),
            video=torch.from_numpy(video_code[views.video[rows]]),
            segments=torch.from_numpy(segments),
            mask=torch.from_numpy(mask),
            segment_row=torch.from_numpy(inverse[: target_store.size].reshape(target_store.shape)),
            history_video=torch.from_numpy(history_video),
            history_segment=torch.from_numpy(history_segment),
            history_row=torch.from_numpy(inverse[target_store.size :].reshape(history_store.shape)),
            history_mask=torch.from_numpy(history_mask),
            content=content,
            content_valid=valid,
            exit=torch.from_numpy(views.exit[rows].astype(np.int64)),
        )

    def batches(
        self, data: Dataset, rows: npt.NDArray[Any], size: int, generator: np.random.Generator | None = None
    ) -> Iterator[Batch]:
        """Batches of ``size`` views, shuffled where a generator is given."""
        order = rows if generator is None else generator.permutation(rows)
        for start in range(0, len(order), size):
            yield self(data, order[start : start + size])


def _store_rows(
    store: FeatureStore | None, video: npt.NDArray[Any], segment: npt.NDArray[Any], mask: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Segment rows of the store; UNKNOWN where it has no such segment, as when log and file disagree on N."""
    shape = np.broadcast_shapes(video.shape, segment.shape)
    if store is None:
        return np.full(shape, UNKNOWN, dtype=np.int64)
    first, count = store.offset[video], store.offset[video + 1] - store.offset[video]
    there = mask & (video != UNKNOWN) & (segment < count)
    return np.where(there, first + segment, UNKNOWN).astype(np.int64)


def _gather(
    store: FeatureStore | None, modalities: Sequence[str], rows: npt.NDArray[np.int64]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    content, valid = {}, {}
    for modality in modalities:
        if store is None:
            raise ValueError(f"{modality} features are wanted, but there is no feature store")
        values, there = store.gather(modality, rows)
        content[modality] = torch.from_numpy(np.concatenate([np.zeros((1, values.shape[1]), np.float32), values]))
        valid[modality] = torch.from_numpy(np.concatenate([[False], there]))
    return content, valid
