"""Batches by hand, for networks that nobody has fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from segmodel.data.batch import Batch
from segmodel.models.baselines.embeddings import Sizes

Viewed = Sequence[tuple[int, int]]


@pytest.fixture
def sizes() -> Sizes:
    """Four users, five videos, six slots; code 0 is the unknown one."""
    return Sizes(users=4, videos=5, slots=6)


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """``make_batch(user, video, segments, exit, histories, content)``; a history is a list of (video, segment)."""

    def make(
        user: Sequence[int],
        video: Sequence[int],
        segments: Sequence[int],
        exit_: Sequence[int] | None = None,
        histories: Sequence[Viewed] | None = None,
        content: dict[str, torch.Tensor] | None = None,
    ) -> Batch:
        views, width = len(user), max(segments)
        length = max((len(h) for h in histories or ()), default=0) or 1
        past = torch.zeros(views, length, 2, dtype=torch.int64)
        mask = torch.zeros(views, length, dtype=torch.bool)
        for i, h in enumerate(histories or ()):
            if h:
                past[i, -len(h) :] = torch.tensor(list(h))
                mask[i, -len(h) :] = True
        real = torch.arange(width)[None, :] < torch.tensor(segments)[:, None]
        # Row r of the content belongs to the r-th real segment, counted from 1.
        row = torch.where(real, real.flatten().cumsum(0).view_as(real), 0)
        return Batch(
            user=torch.tensor(user),
            video=torch.tensor(video),
            segments=torch.tensor(segments),
            mask=real,
            segment_row=row,
            history_video=past[..., 0],
            history_segment=past[..., 1],
            history_row=torch.zeros(views, length, dtype=torch.int64),
            history_mask=mask,
            content=content or {},
            content_valid={m: torch.arange(len(v)) > 0 for m, v in (content or {}).items()},
            exit=torch.tensor(exit_ if exit_ is not None else [0] * views),
        )

    return make
