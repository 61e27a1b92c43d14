"""Batch: what a network sees of some views.

Tensor letters: B views, S segments, H history segments, R content rows, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segfeat.store.reader import FeatureStore
from segmodel.data.content import segment_rows
from segmodel.data.dataset import Dataset, of_past
from segmodel.data.views import UNKNOWN, Rows
from segmodel.data.vocabulary import Vocabulary

Features = dict[str, npt.NDArray[Any]]
"""Arrays by modality."""


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
        history_video = np.where(history_mask, video_code[of_past(past.video, past_row)], 0)

        found = gather_content(data, rows, mask, past_row, history_segment, self.modalities)
        return Batch(
            user=torch.from_numpy(user_code[views.user[rows]]),
            video=torch.from_numpy(video_code[views.video[rows]]),
            segments=torch.from_numpy(segments),
            mask=torch.from_numpy(mask),
            segment_row=found.segment_row,
            history_video=torch.from_numpy(history_video),
            history_segment=torch.from_numpy(history_segment),
            history_row=found.history_row,
            history_mask=torch.from_numpy(history_mask),
            content=found.features,
            content_valid=found.valid,
            exit=torch.from_numpy(views.exit[rows].astype(np.int64)),
        )

    def batches(
        self, data: Dataset, rows: npt.NDArray[Any], size: int, generator: np.random.Generator | None = None
    ) -> Iterator[Batch]:
        """Batches of ``size`` views, shuffled where a generator is given."""
        order = rows if generator is None else generator.permutation(rows)
        for start in range(0, len(order), size):
            yield self(data, order[start : start + size])


@dataclass(frozen=True, eq=False)
class Content:
    """Content of some views' segments and histories, each distinct segment once.

    Attributes
    ----------
    segment_row : int64 (B, S)
    history_row : int64 (B, H)
        Rows of ``features``; 0 = no content.
    features : modality -> float32 (R, D)
    valid : modality -> bool (R,)
    """

    segment_row: Tensor
    history_row: Tensor
    features: Mapping[str, Tensor]
    valid: Mapping[str, Tensor]


def gather_content(
    data: Dataset,
    rows: npt.NDArray[Any],
    mask: npt.NDArray[np.bool_],
    past_row: npt.NDArray[np.int64],
    history_segment: npt.NDArray[np.int64],
    modalities: Sequence[str],
    read: Callable[[Rows], tuple[Features, Features]] | None = None,
) -> Content:
    """Read the content of the given views (rows of ``data``) and of their histories from the store.

    Parameters
    ----------
    data : Dataset
    rows : int (B,)
    mask : bool (B, S)
        Which segments are real.
    past_row, history_segment : int64 (B', H)
        From :meth:`Dataset.history_segments`, of all views or of one that stands for all.
    modalities : sequence of str
    read : callable, optional
        Distinct segment rows of the store (R,) -> features and validity (R + 1, ...) by modality, where they are not to
        be read from the store.
    """
    target = segment_rows(data.store, data.views.store_row[rows][:, None], np.arange(mask.shape[1])[None, :], mask)
    history = segment_rows(data.store, of_past(data.past.store_row, past_row), history_segment, past_row >= 0)
    distinct, inverse = np.unique(np.concatenate([target.ravel(), history.ravel()]), return_inverse=True)
    # Row 0 stands for "not in the store", which unique() puts first where it occurs.
    if len(distinct) and distinct[0] == UNKNOWN:
        distinct = distinct[1:]
    else:
        inverse = inverse + 1
    features, valid = read(distinct) if read else _gather(data.store, modalities, distinct)
    return Content(
        torch.from_numpy(inverse[: target.size].reshape(target.shape)),
        torch.from_numpy(inverse[target.size :].reshape(history.shape)),
        {m: torch.from_numpy(x) for m, x in features.items()},
        {m: torch.from_numpy(x) for m, x in valid.items()},
    )


def _gather(
    store: FeatureStore | None, modalities: Sequence[str], rows: npt.NDArray[np.int64]
) -> tuple[Features, Features]:
    content, valid = {}, {}
    for modality in modalities:
        if store is None:
            raise ValueError(f"{modality} features are wanted, but there is no feature store")
        values, there = store.gather(modality, rows)
        content[modality] = np.concatenate([np.zeros((1, values.shape[1]), np.float32), values])
        valid[modality] = np.concatenate([[False], there])
    return content, valid
