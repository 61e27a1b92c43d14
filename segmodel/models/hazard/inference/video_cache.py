"""What is known of a video whoever watches it when: its columns, and its segments as the networks see them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from segfeat.types import Float32
from segmodel.data.views import Rows, Views, ragged
from segmodel.models.hazard.features import Scaler, segment_features
from segmodel.models.hazard.inference.stacked_networks import NetworkStack, VideoBatch
from segmodel.models.hazard.reached import place
from segmodel.models.hazard.statistics import Inputs
from segmodel.models.hazard.user_filter import DIRECTIONS, place_directions

CAPACITY = 100_000
"""Segments kept at a time (about 150 B each with three networks), or as many as one question has; when full, all are
forgotten."""


class VideoStates:
    """States of the videos met so far, under one set of statistics.

    Parameters
    ----------
    stack : NetworkStack
    scaler : Scaler
        Of the columns of a view.
    of_video : slice
        Those that the video decides.
    """

    def __init__(self, stack: NetworkStack, scaler: Scaler, of_video: slice) -> None:
        self._stack, self._scaler, self._of_video = stack, scaler, of_video
        self._make_room(CAPACITY)

    def __len__(self) -> int:
        """Number of videos kept."""
        return len(self._place)

    def read(
        self, views: Views, video: Sequence[Hashable], describe: Callable[[Rows], Inputs]
    ) -> tuple[VideoBatch, Rows, Float32]:
        """States of the views' videos.

        Parameters
        ----------
        views : Views
        video : sequence of V
            What tells the videos apart: together with its length it tells all that the statistics know of one.
        describe : callable
            Inputs of some of the views, ascending; called for videos not met yet.

        Returns
        -------
        batch : VideoBatch
        segment : int64 (T,)
            Index of each segment in its video.
        directions : float32 (T, 9)
            For the user filter.
        """
        keys = list(zip(video, views.picture_s.tolist(), strict=True))
        if not self._place.keys() >= set(keys):
            self._meet_all(keys, views, describe)
        slot = np.array([self._place[key] for key in keys])
        n = views.segments.astype(np.int64)
        owner, segment = ragged(n)
        row = np.repeat(self._first[slot], n) + segment
        batch = VideoBatch(
            self._view[slot],
            owner,
            place(segment, n[owner]),
            self._offset[row],
            self._residual[row],
        )
        return batch, segment, self._directions[row]

    def _make_room(self, segments: int) -> None:
        self._place: dict[tuple[Hashable, float], int] = {}
        # No video is shorter than a segment; zeros take up memory only once they are written over.
        self._first = np.zeros(segments + 1, dtype=np.int64)
        self._view = np.zeros((segments, self._of_video.stop - self._of_video.start), dtype=np.float32)
        self._offset = np.zeros(segments, dtype=np.float32)
        self._residual = np.zeros((segments, self._stack.residual_width), dtype=np.float32)
        self._directions = np.zeros((segments, DIRECTIONS - 1), dtype=np.float32)

    def _meet_all(self, keys: list[tuple[Hashable, float]], views: Views, describe: Callable[[Rows], Inputs]) -> None:
        # Backwards, so that of equal ones the first is taken.
        row = {key: i for i, key in reversed(list(enumerate(keys)))}
        new = np.sort([i for key, i in row.items() if key not in self._place])
        if self._first[len(self._place)] + views.segments[new].sum() > len(self._offset):
            new = np.sort(list(row.values()))
            self._make_room(max(CAPACITY, int(views.segments[new].sum())))
        first = len(self._place)
        self._meet(slice(first, first + len(new)), views.take(new), describe(new))
        self._place.update((keys[i], first + j) for j, i in enumerate(new.tolist()))

    def _meet(self, places: slice, views: Views, inputs: Inputs) -> None:
        n = views.segments.astype(np.int64)
        width = int(n.max())
        offset = inputs.offset[:, :width]
        features = segment_features(views, np.arange(len(views)), offset, width)
        s = np.broadcast_to(np.arange(width), offset.shape)
        live = s < n[:, None]
        owner, s = np.nonzero(live)[0], s[live]
        first = int(self._first[places.start])
        self._first[places.start + 1 : places.stop + 1] = first + np.cumsum(n)
        rows = slice(first, first + len(s))
        self._view[places] = self._scaler(inputs.view)[:, self._of_video]
        self._offset[rows] = offset[live]
        self._residual[rows] = self._stack.place(features[live], s, n[owner] - 1 - s)
        self._directions[rows] = place_directions(s, n[owner], inputs.cold[owner])
