"""Items: the segments and end slots of the views in a batch, flat, so that padding never costs or counts.

Tensor letters: B views, T items, S segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segmodel.data.batch import Batch


@dataclass(frozen=True, eq=False)
class Items:
    """T items, in the order of their views, then of their position.

    Attributes
    ----------
    view : int64 (T,)
        Row of the batch that each item belongs to.
    segment : int64 (T,)
        Its position in the video; N for the end slot.
    """

    view: Tensor
    segment: Tensor

    def take(self, mask: Tensor) -> Items:
        """The items of ``mask`` (T,)."""
        return Items(self.view[mask], self.segment[mask])

    def table(self, values: Tensor, views: int, width: int) -> Tensor:
        """``values`` (T,) as (views, width), 0 where there is no item."""
        return values.new_zeros(views, width).index_put((self.view, self.segment), values)


def all_items(segments: Tensor, end: bool = True) -> Items:
    """The N segments of each view (B,), and its end slot unless ``end`` is False."""
    count = segments + int(end)
    view = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    first = torch.cumsum(count, 0) - count
    return Items(view, torch.arange(len(view), device=count.device) - first[view])


def labelled_items(batch: Batch, max_segments: int) -> tuple[Items, Tensor]:
    """The items that a view says something about, and what.

    Returns
    -------
    items : Items
        The segments that were reached, and the end slot where N < ``max_segments``.
    label : float (T,)
        0 where the user left, otherwise 1.
    """
    items = all_items(batch.segments)
    segments, exit_ = batch.segments[items.view], batch.exit[items.view]
    end = items.segment == segments
    known = torch.where(end, segments < max_segments, items.segment <= exit_)
    return items.take(known), (items.segment != exit_)[known].float()


def one_watched_each(items: Items, label: Tensor, views: int) -> Tensor:
    """Rows (P,) of ``items``: one with label 1, drawn at random, for each view that has any."""
    watched = torch.nonzero(label > 0).flatten()
    shuffled = watched[torch.randperm(len(watched), device=watched.device)]
    chosen = watched.new_full((views,), -1)
    chosen[items.view[shuffled]] = shuffled
    return chosen[chosen >= 0]
