"""RunData: what a run learned from and what it may know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.interactions import Interactions
from segfeat.log_check import check_later, check_log, parse_units, unit_of_dates
from segfeat.log_file import read_interactions
from segfeat.partitioned_log import PartitionedLog, open_partitions
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.log import Log, read_log
from segmodel.data.memory import check_fits
from segmodel.data.partitions import PART_VIEWS, split_partitions
from segmodel.data.parts import SplitLog
from segmodel.data.splits import Split, leave_out_split, parse_leave_out, random_split, temporal_split
from segmodel.data.views import Views, make_views
from segmodel.models.base import FitRun, SegmentModel
from segmodel.runs.config import RunConfig
from segmodel.runs.kinds import view_values, views_with
from segmodel.runs.log_facts import LogFacts, facts_of_parts, facts_of_views

NO_DURATION = "not in the store, and no duration given"
"""Why a pair of a video that nobody can say the length of is not predicted."""


@dataclass(frozen=True, eq=False)
class PairData:
    """Pairs that somebody asks about, as views with their histories.

    Attributes
    ----------
    asked : Interactions
        The P pairs, each once, with the durations that the store knows.
    data : Dataset
        Those that can be predicted, in the order asked; ``data.views.log_row`` is the row in ``asked``.
    reason : object (P,)
        Why a pair cannot be predicted, in words; empty where it can.
    """

    asked: Interactions
    data: Dataset
    reason: npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class RunData:
    """Store, log and further history of a run, each read once, and the views made of them, each made once.

    Attributes
    ----------
    config : RunConfig
        Decides split and limits.
    store : FeatureStore
    source : Interactions, PartitionedLog or None
        What the run learned from; None where a store without a log is only asked about.
    history : Interactions or None
        Views beyond the log, for histories only.
    unit : tuple of str
        In what further views and pairs count time; where it is empty, as the log.
    """

    config: RunConfig
    store: FeatureStore
    source: Interactions | PartitionedLog | None
    history: Interactions | None = None
    unit: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<RunData: {self.store!r}, log {self.source!r}, history {self.history!r}>"

    @cached_property
    def log(self) -> Interactions | None:
        """What the run learned from, in memory.

        Raises
        ------
        ValueError
            If it is a log in partitions that does not fit into memory.
        """
        if isinstance(self.source, PartitionedLog):
            check_fits(len(self.source), f"what was asked of {self.source.folder}")
            return self.source.read(*range(self.source.partitions))
        return self.source

    @property
    def in_parts(self) -> bool:
        """Whether the log is walked over in parts, by whoever can."""
        return isinstance(self.source, PartitionedLog) and parse_leave_out(self.config.split) is None

    @cached_property
    def parts(self) -> SplitLog:
        """The run's own views with their histories and their split, in parts; of a log in memory, one."""
        if isinstance(self.source, PartitionedLog) and self.in_parts:
            return split_partitions(self.source, self.store, self._split_users, part_views=PART_VIEWS, **self._limits)
        return SplitLog.of(self.training, self.split)

    def fit(self, model: SegmentModel, run: FitRun) -> None:
        """Fit a model on the run's training views: part by part where it can, else on the log in memory.

        Raises
        ------
        ValueError
            If the log is in partitions, the model needs it in memory, and it does not fit.
        """
        if self.in_parts and model.learns_in_parts:
            model.fit_parts(self.parts, run)
        else:
            model.fit(self.training, self.split, run)

    @cached_property
    def facts(self) -> LogFacts:
        """What the log holds.

        Raises
        ------
        ValueError
            As :func:`segfeat.log_check.check_log`.
        """
        if isinstance(self.source, PartitionedLog) and self.in_parts:
            return facts_of_parts(self.source, self.parts, self.store)
        check = check_log(self.own_log, self.store.duration_ms, str(self.store.path))
        return facts_of_views(check, self.dataset.views, self.split)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Content modalities of the store."""
        return tuple(self.store.encoders)

    def read(self, log: Log, watch_needed: bool = True) -> Interactions:
        """Read views or pairs, with the log's context columns where they have them.

        Raises
        ------
        ValueError
            As :func:`segmodel.data.log.read_log` and :func:`segfeat.log_check.check_later`.
        """
        found = read_log(log, watch_needed, self.context, parse_units(self.unit or self.config.unit))
        check_later(found, self.dated)
        return found

    @cached_property
    def dated(self) -> bool:
        """Whether times are dates, in milliseconds since 1970; so taken, too, where there is no log in memory."""
        log = self.source
        return not isinstance(log, Interactions) or not len(log) or unit_of_dates(log.time_ms) == "ms"

    @property
    def context(self) -> tuple[str, ...]:
        """Names of the log's context columns."""
        return () if self.source is None else tuple(self.source.context)

    @cached_property
    def known(self) -> Interactions:
        """All that histories may hold: the log, then the further history."""
        log = Interactions.empty() if self.log is None else self.log
        return log if self.history is None else log.joined(self.history)

    def known_of(self, users: Collection[str]) -> Interactions:
        """All that the histories of some users may hold; of a log in memory all that is :attr:`known`."""
        if not isinstance(self.source, PartitionedLog):
            return self.known
        asked = frozenset(users)
        if asked not in self._of_users:
            self._of_users.clear()
            log = self.source.of_users(asked)
            self._of_users[asked] = log if self.history is None else log.joined(self.history)
        return self._of_users[asked]

    @cached_property
    def _of_users(self) -> dict[frozenset[str], Interactions]:
        """What was asked for last."""
        return {}

    def known_users(self, users: Collection[str]) -> frozenset[str]:
        """Who has a view in the log or the further history, of some users at least."""
        if isinstance(self.source, PartitionedLog):
            known = self.known_of(users)
            return frozenset(known.user_ids[np.unique(known.user)].tolist())
        return self._all_users

    @cached_property
    def _all_users(self) -> frozenset[str]:
        return frozenset(self.known.user_ids[np.unique(self.known.user)].tolist())

    @cached_property
    def dataset(self) -> Dataset:
        """The run's own views with their histories.

        Raises
        ------
        ValueError
            If there is no log.
        """
        return self._make(self.own_log)

    @property
    def own_log(self) -> Interactions:
        """The log.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.log is None:
            raise ValueError(f"{self.store.path} carries no watch log; give one with --interactions")
        return self.log

    @cached_property
    def known_dataset(self) -> Dataset:
        """All known views, the run's own and the further history."""
        return self.dataset if self.history is None else self._make(self.known)

    @cached_property
    def split(self) -> Split:
        """Training, validation and test rows of the run's own views.

        Raises
        ------
        ValueError
            If it should leave out a value that no view has.
        """
        if self._left_out is not None:
            return leave_out_split(self.dataset.views, self._left_out(self.dataset.views), self.config.train_share)
        return self._split_users(self.dataset.views)

    def _split_users(self, views: Views) -> Split:
        """The split of whole users, whoever else there is."""
        if self.config.split == "random":
            return random_split(views, self.config.seed)
        return temporal_split(views, self.config.train_share)

    @cached_property
    def training(self) -> Dataset:
        """What a model is fitted on: the run's own views, whose histories lack what the split leaves out, too."""
        if self._left_out is None:
            return self.dataset
        return self.dataset.without_past(self._left_out(self.dataset.past))

    @cached_property
    def _left_out(self) -> Callable[[Views], npt.NDArray[np.bool_]] | None:
        """Which of some views of the own log the split leaves out; None where it leaves out nothing."""
        named = parse_leave_out(self.config.split)
        if named is None:
            return None
        name, value = named

        def mask(views: Views) -> npt.NDArray[np.bool_]:
            columns = view_values(name, views, self.store, self.own_log)
            kinds = views_with(next(iter(columns.values())))
            if len(columns) > 1 or value not in kinds:
                there = ", ".join(list(kinds)[:20]) or "none"
                raise ValueError(f"no view to leave out has {name}={value}; the most frequent values are {there}")
            return kinds[value]

        return mask

    @cached_property
    def train_views(self) -> Views:
        """The run's training views: who is not among them is cold."""
        return self.dataset.views.take(self.split.train)

    def views(self, log: Interactions, watch_needed: bool = True) -> Views:
        """Rows of any log bound to the segments of their videos, as the run binds its own."""
        return make_views(log, self.store, watch_needed=watch_needed, **self._limits)

    def test_pairs(self) -> PairData:
        """The run's own test views, in the order of the log, as pairs that may know the further history."""
        return self.pairs(self.own_log.take(np.sort(self.dataset.views.log_row[self.split.test])))

    def pairs(self, pairs: Interactions) -> PairData:
        """Pairs as views, with histories from all that is known and from earlier pairs with a watch time."""
        # Joined with nothing: each pair once, over tables that name each id once.
        asked = Interactions.empty().joined(pairs).with_durations(self.store.duration_ms)
        data = make_dataset(self.known_of(asked.user_ids.tolist()), self.store, pairs=asked, **self._limits)
        data = data.take(np.argsort(data.views.log_row, kind="stable"))
        return PairData(asked, data, self.reasons(asked, data.views))

    def reasons(self, asked: Interactions, views: Views) -> npt.NDArray[np.object_]:
        """Why rows of ``asked`` (P,) are not among the ``views`` made of them; empty where they are."""
        found = np.full(len(asked), "", dtype=object)
        missing = np.ones(len(asked), dtype=bool)
        missing[views.log_row] = False
        if missing.any():
            found[missing] = f"more than {self.config.max_segments} segments"
            for reason, mask in asked.unusable(self.config.max_duration_s, watch_needed=False).items():
                found[mask & missing] = reason
            found[missing & (asked.duration_ms <= 0)] = NO_DURATION
        return found

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``data.json`` of a run holds: fingerprints of store and log, and what became of the log's rows."""
        facts = self.facts
        return {
            "store_hash": self.store.content_hash,
            "log_fingerprint": self.fingerprint,
            "segment_s": facts.segment_s,
            "encoders": {m: asdict(s) for m, s in self.store.encoders.items()},
            "views": dict(facts.views),
            "dropped": dict(facts.dropped),
            "capped": facts.capped,
        }

    @property
    def fingerprint(self) -> str:
        """Of the log: equal logs have equal ones."""
        return self.source.fingerprint() if isinstance(self.source, PartitionedLog) else self.own_log.fingerprint()

    def _make(self, log: Interactions) -> Dataset:
        return make_dataset(log, self.store, **self._limits)

    @property
    def _limits(self) -> dict[str, Any]:
        return {"max_segments": self.config.max_segments, "max_duration_s": self.config.max_duration_s}


def open_data(
    config: RunConfig, store: FeatureStore | None = None, history: Log | None = None, unit: Sequence[str] = ()
) -> RunData:
    """Read what a configuration names.

    Parameters
    ----------
    config : RunConfig
    store : FeatureStore, optional
        An opened one in place of the configuration's.
    history : Interactions, DataFrame or paths, optional
        Views beyond the log.
    unit : sequence of str
        In what it, and whatever is read later, counts time, as in ``--unit``; default: as the log.

    Raises
    ------
    ValueError
        If a file cannot be read.
    """
    store = FeatureStore(config.store) if store is None else store
    log: Interactions | PartitionedLog | None = store.interactions
    if len(config.interactions) == 1 and Path(config.interactions[0]).is_dir():
        log = _opened(config)
    elif config.interactions:
        log = read_interactions(config.interactions, context=config.context, unit_ms=parse_units(config.unit))
    if config.updates:
        log = RunData(config, store, log).log or Interactions.empty()
        log = reduce(Interactions.joined, read_later(config.updates, log, config), log)
    data = RunData(config, store, log, unit=tuple(unit))
    if history is None or (isinstance(history, Sequence) and not history):
        return data
    return replace(data, history=data.read(history))


def _opened(config: RunConfig) -> Interactions | PartitionedLog:
    """A log in partitions; a small one as any log that is read."""
    if config.unit:
        raise ValueError(f"{config.interactions[0]}: a log in partitions is in milliseconds")
    log = open_partitions(config.interactions[0]).with_context(config.context)
    return log if len(log) > PART_VIEWS else log.read(*range(log.partitions))


def read_later(paths: Sequence[str | Path], log: Interactions, config: RunConfig) -> list[Interactions]:
    """Files of later views, which have the units of a run's log and may have its context columns.

    Raises
    ------
    ValueError
        If a file cannot be read.
    """
    units, context = parse_units(config.unit), tuple(log.context)
    return [read_interactions(path, context=context, context_needed=False, unit_ms=units) for path in paths]
