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
    own_place : int64 (T,) or None
        Where position embeddings are to be read from, if not at ``segment``.
    """

    view: Tensor
    segment: Tensor
    own_place: Tensor | None = None

    @property
    def place(self) -> Tensor:
        """int64 (T,) which position embedding is an item's: that of its segment unless it has a place of its own."""
        return self.segment if self.own_place is None else self.own_place

    def take(self, rows: Tensor) -> Items:
        """The items of ``rows``, a mask (T,) or indices."""
        return Items(self.view[rows], self.segment[rows], None if self.own_place is None else self.own_place[rows])

    def with_end_at(self, place: int, segments: Tensor) -> Items:
        """The same items with all end slots, of views of N = ``segments`` (B,), at one place."""
        return Items(self.view, self.segment, torch.where(self.segment == segments[self.view], place, self.segment))

    def table(self, values: Tensor, views: int, width: int) -> Tensor:
        """``values`` (T,) as (views, width), 0 where there is no item."""
        return values.new_zeros(views, width).index_put((self.view, self.segment), values)


def all_items(segments: Tensor, end: bool = True) -> Items:
    """The N segments of each view (B,), and its end slot unless ``end`` is False."""
    count = segments + int(end)
    view = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    first = torch.cumsum(count, 0) - count
    return Items(view, torch.arange(len(view), device=count.device) - first[view])


def labelled_items(batch: Batch, max_segments: int, end_stayed: bool = False) -> tuple[Items, Tensor]:
    """The items that a view says something about, and what.

    Parameters
    ----------
    batch : Batch
    max_segments : int
    end_stayed : bool
        Whether the end slot of a view that was left before it counts as a place where the user did not leave. It was
        never reached, so by default it says nothing, like the segments between.

    Returns
    -------
    items : Items
        The segments and, where N < ``max_segments``, end slots that were reached; and those end slots.
    label : float (T,)
        0 where the user left, otherwise 1.
    """
    items = all_items(batch.segments)
    segments, exit_ = batch.segments[items.view], batch.exit[items.view]
    end = items.segment == segments
    reached = items.segment <= exit_
    known = torch.where(end, (segments < max_segments) & (reached | end_stayed), reached)
    return items.take(known), (items.segment != exit_)[known].float()


def one_watched_each(items: Items, label: Tensor, views: int) -> Tensor:
    """Rows (P,) of ``items``: one with label 1, drawn at random, for each view that has any."""
    watched = torch.nonzero(label > 0).flatten()
    shuffled = watched[torch.randperm(len(watched), device=watched.device)]
    chosen = watched.new_full((views,), -1)
    chosen[items.view[shuffled]] = shuffled
    return chosen[chosen >= 0]
