"""Scorer: fitted networks answer, and keep what one question has in common with the next."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from segfeat.store.reader import FeatureStore
from segfeat.types import Bool, Float64
from segmodel.data.content import segment_rows
from segmodel.data.dataset import Dataset, by_users, of_past
from segmodel.data.views import PART_VIEWS, UNKNOWN, Rows, Views
from segmodel.models.hazard.batches import Batches
from segmodel.models.hazard.features import Past
from segmodel.models.hazard.inference.expectations import Expectations
from segmodel.models.hazard.inference.segment_cache import SegmentStates
from segmodel.models.hazard.inference.stacked_networks import Contents, NetworkStack
from segmodel.models.hazard.inference.user_cache import Memory, Moment
from segmodel.models.hazard.inference.video_cache import VideoStates
from segmodel.models.hazard.members import Members
from segmodel.models.hazard.statistics import Inputs, Statistics
from segmodel.models.hazard.tables import Tables
from segmodel.models.hazard.user_filter import deviate, deviations, filter_users, surprise_sums


class Scorer:
    """What networks of one set of weights make of views.

    Parameters
    ----------
    members : Members
    batches : Batches
    statistics : Statistics

    Attributes
    ----------
    expectations : Tables -> Expectations
        What is known already of the views of a log.
    """

    def __init__(self, members: Members, batches: Batches, statistics: Statistics) -> None:
        self._members, self._batches, self._statistics = members, batches, statistics
        self._stack = NetworkStack(members, statistics.of_video)
        self._remembered: WeakKeyDictionary[Views, dict[int, Memory]] = WeakKeyDictionary()
        self._videos: WeakKeyDictionary[Tables, VideoStates] = WeakKeyDictionary()
        self._states: WeakKeyDictionary[FeatureStore, SegmentStates] = WeakKeyDictionary()
        self.expectations: WeakKeyDictionary[Tables, Expectations] = WeakKeyDictionary()

    def hazard(self, part: Dataset, tables: Tables) -> Float64:
        """Hazards (B, S) of whole users."""
        memory = self.remember(part, tables)
        if _one_moment(part):
            return self._hazard_of_videos(part, tables, memory)
        inputs = self._statistics.inputs(part, tables, past=memory.past)
        hazard = self._members.mean_hazard(self._batches, part, inputs, self.states(part.store))
        if not self._batches.config.user_filter:
            return hazard
        return filter_users(part, hazard, inputs.cold, memory.surprises)

    def _hazard_of_videos(self, part: Dataset, tables: Tables, memory: Memory) -> Float64:
        """Hazards (B, S) where all views are of one user at one moment, who is read once."""

        def describe(rows: Rows) -> Inputs:
            return self._statistics.inputs(part.take(rows), tables, past=memory.past)

        views = part.views
        moment = memory.moment
        if moment is None or (moment.history, moment.time_ms, moment.context) != _when(part):
            moment = memory.moment = self._read_moment(part.take(np.arange(1)), memory, describe(np.arange(1)))
        video = self._statistics.told_apart(part, tables)
        if tables not in self._videos:
            self._videos[tables] = VideoStates(self._stack, self._batches.scalers[0], self._statistics.of_video)
        batch, segment, directions = self._videos[tables].read(views, video, describe)
        contents = None
        states = self.states(part.store)
        if states is not None and part.store is not None:
            target = segment_rows(part.store, views.store_row[batch.owner], segment)
            slots = states.slots(part.store, np.concatenate([moment.viewed, target]))
            seen = len(moment.viewed)
            contents = Contents(states.unit, states.valid, slots[:seen], moment.evidence, slots[seen:])
        found = self._stack.hazard(moment.user, batch, contents).astype(np.float64)
        if self._batches.config.user_filter:
            found = deviate(found, directions, moment.deviation)
        hazard = np.zeros((len(part), self._batches.config.max_segments))
        hazard[batch.owner, segment] = found
        return hazard

    def _read_moment(self, one: Dataset, memory: Memory, inputs: Inputs) -> Moment:
        """Everything about the user of a single view that its video does not change."""
        scale_view = self._batches.scalers[0]
        token, age, there = self._batches.history(one, inputs, np.arange(1))
        read = (
            scale_view(inputs.view)[0],
            self._batches.user(inputs, np.arange(1))[0],
            token[there],
            age[there],
            inputs.shift[0],
        )
        past_row, segment, evidence = self._batches.evidence(one, inputs, np.arange(1))
        seen = past_row >= 0
        return Moment(
            *_when(one),
            self._stack.user(*read),
            segment_rows(one.store, of_past(one.past.store_row, past_row[seen]), segment[seen]),
            evidence[seen].T.copy(),
            deviations(one.history, memory.surprises)[0],
        )

    def remember(self, part: Dataset, tables: Tables) -> Memory:
        """The past described, and its surprises; kept as long as the caller keeps that past, as a server does.

        What is kept must not hold the past itself, or it would never be let go.
        """
        held = self._remembered.setdefault(part.past, {})
        memory = held.get(id(tables))
        if memory is None or len(memory) < len(part.past):
            memory = held[id(tables)] = self._learn_past(part, tables, memory)
        return memory

    def _learn_past(self, part: Dataset, tables: Tables, earlier: Memory | None) -> Memory:
        """The memory of a past of which the first views may be remembered already."""
        known = 0 if earlier is None else len(earlier)
        new = part.as_views().take(np.arange(known, len(part.past)))
        past = self._statistics.past(part, tables)
        hazard, cold = self._expected(new, tables, past)
        surprises = surprise_sums(new.views, hazard, cold)
        if earlier is not None:
            surprises = np.concatenate([earlier.surprises[:-1], earlier.surprises[-1] + surprises])
        return Memory(past, surprises)

    def _expected(self, new: Dataset, tables: Tables, past: Past) -> tuple[Float64, Bool]:
        """Hazards (B, S) of watched views before they began, and whether the statistics do not know their videos."""
        if not self._batches.config.user_filter:
            return np.zeros((len(new), self._batches.config.max_segments)), np.zeros(len(new), dtype=bool)
        hazard, cold = np.empty((len(new), self._batches.config.max_segments)), np.empty(len(new), dtype=bool)
        expectations = self.expectations.get(tables)
        known = np.full(len(new), UNKNOWN)
        if expectations is not None:
            known = expectations.rows(new.views, *self._statistics.codes(new.views))
            there = np.flatnonzero(known >= 0)
            hazard[there] = expectations.of_rows(known[there], hazard.shape[1])
            cold[there] = expectations.cold[known[there]]
        rest = np.flatnonzero(known < 0)
        if len(rest):
            new = new.take(rest)
            inputs = self._statistics.inputs(new, tables, own_fold=True, past=past)
            hazard[rest] = self._members.mean_hazard(self._batches, new, inputs, self.states(new.store))
            cold[rest] = inputs.cold
        return hazard, cold

    def expect(self, data: Dataset, tables: Tables) -> None:
        """Work out, and keep, what is expected of all views of a log that is its own past."""
        told = (
            (rows, *self._expected(part, tables, self._statistics.past(part, tables)))
            for rows, part in by_users(data, PART_VIEWS)
        )
        self.expectations[tables] = Expectations.of(data.views, *self._statistics.codes(data.views), told)

    def past_has_grown(self, before: Views, after: Views) -> None:
        """See :meth:`segmodel.models.base.SegmentModel.past_has_grown`."""
        kept = before.unchanged(after)
        self._remembered[after] = {
            tables: Memory(memory.past, memory.surprises[: kept + 1])
            for tables, memory in self._remembered.pop(before, {}).items()
        }

    def states(self, store: FeatureStore | None) -> SegmentStates | None:
        """What the fitted networks make of a store's segments, kept as long as the store is."""
        if store is None or not self._members.dims:
            return None
        if store not in self._states:
            self._states[store] = SegmentStates(self._members, store.segment_total)
        return self._states[store]


def _when(data: Dataset) -> tuple[tuple[int, int], int, tuple[tuple[str, str | None], ...]]:
    """History, time and context of the first view."""
    first, end = data.history[0].tolist()
    context = tuple((k, None if c[0] < 0 else str(names[c[0]])) for k, (c, names) in data.views.context.items())
    return (first, end), int(data.views.time_ms[0]), context


def _one_moment(data: Dataset) -> bool:
    """Whether all views have the same history, time and context, as a user's candidates have."""
    views = data.views
    columns: list[np.ndarray] = [data.history, views.time_ms, *(codes for codes, _ in views.context.values())]
    return all(bool((x == x[0]).all()) for x in columns)
