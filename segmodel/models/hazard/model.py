"""The default model: statistics, a few networks averaged on the hazard, and the user filter on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from segfeat.store import FeatureStore
from segfeat.types import Bool, Float32, Float64
from segmodel.batch import CONTENT, gather_content, segment_rows
from segmodel.dataset import HISTORY_VIEWS, Dataset, by_users, of_past
from segmodel.losses import hazard_loss
from segmodel.metrics import exit_nll
from segmodel.models.base import Arrays, FitRun, SegmentModel, arrays_under
from segmodel.models.hazard.features import VIEW, Scaler, segment_features
from segmodel.models.hazard.items import TimedItems
from segmodel.models.hazard.memory import Memory, Moment
from segmodel.models.hazard.network import HazardBatch, HazardNetwork, Widths
from segmodel.models.hazard.stack import Contents, NetworkStack
from segmodel.models.hazard.states import SegmentStates
from segmodel.models.hazard.statistics import Inputs, Statistics, Tables, rows_seen
from segmodel.models.hazard.user_filter import deviate, deviations, filter_users, surprise_sums
from segmodel.models.hazard.videos import VideoStates
from segmodel.prediction import SkipPrediction, from_hazard
from segmodel.splits import Split
from segmodel.training import Schedule, one_thread, train_network
from segmodel.views import MAX_SEGMENTS, Rows, Views
from segmodel.vocabulary import Vocabulary

_PART_ROWS = 16_384
"""Views scored at a time, their histories included, which bounds memory."""

_SCORE_VIEWS = 1024


@dataclass(frozen=True)
class HazardConfig:
    """Settings of the default model."""

    modalities: tuple[str, ...] = ("id", *CONTENT)
    """Those of them that the store has are used; ``id`` stands for statistics of the video."""
    max_segments: int = MAX_SEGMENTS
    members: int = 3
    """Networks averaged; they differ in initial weights, order and simulated deployments."""
    epochs: int = 7
    batch_views: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    width: int = 64
    rank: int = 8
    dropout: float = 0.3
    folds: int = 10
    prior_events: float = 20.0
    """Weight of coarser levels in the base hazard, in events."""
    deployed_share: float = 0.5
    """Share of the users for whom an epoch hides the statistics after a random moment, as in deployment."""
    modality_dropout: float = 0.2
    """Chance that a training batch lacks a content modality."""
    attention: bool = True
    """To the user's last views; without it, histories speak through running statistics, tastes and filter alone."""
    user_statistics: bool = True
    """Running statistics of the user's history."""
    user_filter: bool = True

    def __post_init__(self) -> None:
        unknown = [m for m in self.modalities if m not in ("id", *CONTENT)]
        if unknown or not self.modalities:
            raise ValueError(f"modalities {','.join(self.modalities)!r}: valid are {', '.join(('id', *CONTENT))}")


class HazardModel(SegmentModel):
    """A discrete-time hazard with a proper likelihood: its probabilities mean something.

    Views inside the fitted log are predicted from statistics of its training and validation part, so that evaluating
    on the log's own test views is honest; views later than all the log knows of their user, and users it does not know,
    are predicted from statistics of the whole log, as a live system would.
    """

    Config = HazardConfig
    config: HazardConfig

    def __init__(self, config: HazardConfig) -> None:
        super().__init__(config)
        self._remembered: WeakKeyDictionary[Views, dict[int, Memory]] = WeakKeyDictionary()
        self._videos: WeakKeyDictionary[Tables, VideoStates] = WeakKeyDictionary()
        self._states: WeakKeyDictionary[FeatureStore, SegmentStates] = WeakKeyDictionary()

    @one_thread()
    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        c = self.config
        here = data.store.encoders if data.store is not None else {}
        self.dims = {m: here[m].dim for m in CONTENT if m in c.modalities and m in here}
        views = data.views
        log_rows = np.sort(np.concatenate([split.train, split.valid, split.test]))
        log = views.take(log_rows)
        self.users = Vocabulary.of(log.user_ids, log.user)
        self.videos = Vocabulary.of(log.video_ids, log.video)
        user_fold = np.random.default_rng([run.seed, 0]).permutation(len(self.users)) % c.folds
        user_fold[0] = c.folds
        code = self.users.table_codes(views.user_ids)[log.user]
        self.last_ms = np.full(len(self.users), np.iinfo(np.int64).min)
        np.maximum.at(self.last_ms, code, log.time_ms)

        learner = self._make_statistics(user_fold)
        train = data.take(split.train)
        reference = learner.learn(train)
        timed = learner.learn_by_time(train, reference)
        self.scalers = self._make_scalers(train, learner, reference)
        self.widths = self._make_widths(*(len(scaler.mean) for scaler in self.scalers))
        self.device = run.device
        self.networks: list[HazardNetwork] = []
        valid = data.take(split.valid)
        for member in range(c.members):
            self.networks.append(self._train_member(member, train, learner, reference, timed, valid, run))
        spent = np.sort(np.concatenate([split.train, split.valid]))
        self.statistics = learner
        self.training = reference
        self.inside = learner.learn(data.take(spent), means_of=reference)
        self.after = learner.learn(data.take(log_rows), means_of=reference)
        self._settle()

    def _make_statistics(self, user_fold: np.ndarray) -> Statistics:
        c = self.config
        use_items = "id" in c.modalities
        return Statistics(self.users, self.videos, user_fold, c.folds, c.prior_events, c.max_segments, use_items)

    @staticmethod
    def _make_scalers(train: Dataset, learner: Statistics, tables: Tables) -> list[Scaler]:
        """Scalers of the training views' own numbers, their users' and their histories' tokens."""
        past = learner.past(train.past, tables)

        def numbers(rows: Rows) -> Float32:
            inputs = learner.inputs(train.take(rows), tables, own_fold=True, past=past)
            return np.concatenate([inputs.view, inputs.user], axis=1)

        own = Scaler.of(numbers(rows) for rows in _row_parts(len(train)))
        seen = np.flatnonzero(rows_seen(train))
        token = Scaler.of(past.token[seen[rows]] for rows in _row_parts(len(seen)))
        return [own.columns(slice(VIEW)), own.columns(slice(VIEW, None)), token]

    def _make_widths(self, view: int, user: int, token: int) -> Widths:
        c = self.config
        return Widths(view, user, token, c.max_segments, width=c.width, rank=c.rank, dropout=c.dropout)

    def _train_member(
        self,
        member: int,
        train: Dataset,
        learner: Statistics,
        reference: Tables,
        timed: TimedItems,
        valid: Dataset,
        run: FitRun,
    ) -> HazardNetwork:
        c = self.config
        seed = run.seed * 1009 + member
        torch.manual_seed(seed)
        network = HazardNetwork(self.widths, self.dims).to(run.device)
        folder = run.folder / f"member-{member}" if run.folder else None
        if folder:
            folder.mkdir(exist_ok=True)

        def batches(generator: np.random.Generator) -> Iterator[HazardBatch]:
            inputs_of = learner.deployed_inputs(train, reference, timed, generator, c.deployed_share)
            order = generator.permutation(len(train))
            for start in range(0, len(order), c.batch_views):
                part = train.take(order[start : start + c.batch_views])
                yield self._batch(part, inputs_of(part), np.arange(len(part)), generator)

        def loss(batch: HazardBatch) -> Tensor:
            return hazard_loss(network(batch).float(), batch.segments, batch.exit)

        def validate() -> float:
            return -self._nll(network, valid, learner, reference)

        schedule = Schedule(
            c.epochs,
            c.batch_views,
            c.learning_rate,
            c.weight_decay,
            c.clip_norm,
            early_stopping=False,
            steps_per_epoch=-(-len(train) // c.batch_views),
        )
        train_network(
            network,
            batches,
            loss,
            validate,
            schedule,
            replace(run, seed=seed, folder=folder, report=lambda r: run.report(_renamed(r, member, c, run))),
            metric="valid_log_likelihood",
        )
        return network

    @one_thread()
    def predict(self, data: Dataset) -> SkipPrediction:
        views = data.views
        code = self.users.table_codes(views.user_ids)[views.user]
        after = (code == 0) | (views.time_ms > self.last_ms[code])
        return self._predict(data, ((self.inside, np.flatnonzero(~after)), (self.after, np.flatnonzero(after))))

    @one_thread()
    def predict_valid(self, data: Dataset) -> SkipPrediction:
        """Predict validation views as if they had not been learned from; only right after a fit."""
        return self._predict(data, ((self.training, np.arange(len(data))),))

    def _predict(self, data: Dataset, known: Sequence[tuple[Tables, Rows]]) -> SkipPrediction:
        """Every row of ``data`` from the tables it comes with."""
        hazard = np.zeros((len(data), self.config.max_segments))
        for tables, rows in known:
            if len(rows):
                for part_rows, part in by_users(data.take(rows), _PART_ROWS):
                    hazard[rows[part_rows]] = self._hazard(part, tables)
        return from_hazard(hazard, data.views)

    def _hazard(self, part: Dataset, tables: Tables) -> Float64:
        """Hazards (B, S) of whole users."""
        memory = self._remember(part, tables)
        if _one_moment(part):
            return self._hazard_of_videos(part, tables, memory)
        inputs = self.statistics.inputs(part, tables, past=memory.past)
        hazard = self._mean_hazard(self.networks, part, inputs, self._states_of(part.store))
        if not self.config.user_filter:
            return hazard
        return filter_users(part, hazard, inputs.cold, memory.surprises)

    def _hazard_of_videos(self, part: Dataset, tables: Tables, memory: Memory) -> Float64:
        """Hazards (B, S) where all views are of one user at one moment, who is read once."""

        def describe(rows: Rows) -> Inputs:
            return self.statistics.inputs(part.take(rows), tables, past=memory.past)

        views = part.views
        moment = memory.moment
        if moment is None or (moment.history, moment.time_ms) != _when(part):
            moment = memory.moment = self._read_moment(part.take(np.arange(1)), memory, describe(np.arange(1)))
        video = self.videos.table_codes(views.video_ids)[views.video]
        if tables not in self._videos:
            self._videos[tables] = VideoStates(self._stack, self.scalers[0])
        batch, segment, directions = self._videos[tables].read(views, video, describe)
        owner = batch.owner.numpy()
        contents = None
        states = self._states_of(part.store)
        if states is not None and part.store is not None:
            target = segment_rows(part.store, views.store_row[owner], segment)
            slots = torch.from_numpy(states.slots(part.store, np.concatenate([moment.viewed, target])))
            seen = len(moment.viewed)
            contents = Contents(states.unit, states.valid, slots[:seen], moment.evidence, slots[seen:])
        found = self._stack.hazard(moment.user, batch, contents).numpy().astype(np.float64)
        if self.config.user_filter:
            found = deviate(found, directions, moment.deviation)
        hazard = np.zeros((len(part), self.config.max_segments))
        hazard[owner, segment] = found
        return hazard

    def _read_moment(self, one: Dataset, memory: Memory, inputs: Inputs) -> Moment:
        """Everything about the user of a single view that its video does not change."""
        scale_view = self.scalers[0]
        token, age, there = self._history(one, inputs, np.arange(1))
        read = (scale_view(inputs.view)[0], self._user(inputs, np.arange(1))[0], token[there], age[there])
        past_row, segment, surprise, weight = self._evidence(one, inputs, np.arange(1))
        seen = past_row >= 0
        return Moment(
            *_when(one),
            self._stack.user(*(torch.from_numpy(x) for x in read)),
            segment_rows(one.store, of_past(one.past.store_row, past_row[seen]), segment[seen]),
            torch.from_numpy(np.stack([surprise[seen], weight[seen]])),
            deviations(one.history, memory.surprises)[0],
        )

    def _settle(self) -> None:
        """Forget all about other weights."""
        self._stack = NetworkStack(self.networks)
        self._states.clear()
        self._videos.clear()
        self._remembered.clear()

    def _remember(self, part: Dataset, tables: Tables) -> Memory:
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
        past = self.statistics.past(part.past, tables)
        inputs = self.statistics.inputs(new, tables, own_fold=True, past=past)
        hazard: np.ndarray = past.hazard[known:]
        if self.config.user_filter:
            hazard = self._mean_hazard(self.networks, new, inputs, self._states_of(part.store))
        surprises = surprise_sums(new.views, hazard.astype(np.float64), inputs.cold)
        if earlier is not None:
            surprises = np.concatenate([earlier.surprises[:-1], earlier.surprises[-1] + surprises])
        return Memory(past, surprises)

    def past_has_grown(self, before: Views, after: Views) -> None:
        kept = before.unchanged(after)
        self._remembered[after] = {
            tables: Memory(memory.past, memory.surprises[: kept + 1])
            for tables, memory in self._remembered.pop(before, {}).items()
        }

    def _states_of(self, store: FeatureStore | None) -> SegmentStates | None:
        """What the fitted networks make of a store's segments, kept as long as the store is."""
        if store is None or not self.dims:
            return None
        if store not in self._states:
            self._states[store] = SegmentStates(self.networks, tuple(self.dims), store.segment_total)
        return self._states[store]

    @torch.no_grad()
    def _mean_hazard(
        self, networks: Sequence[HazardNetwork], data: Dataset, inputs: Inputs, states: SegmentStates | None = None
    ) -> Float64:
        """(V, S) averaged over the networks; 0 beyond N."""
        for network in networks:
            if network.training:  # asking anyway would take a good part of a small batch's time
                network.eval()
        hazard = np.zeros((len(data), self.config.max_segments))
        for start in range(0, len(data), _SCORE_VIEWS):
            rows = np.arange(start, min(start + _SCORE_VIEWS, len(data)))
            batch = self._batch(data, inputs, rows, states=states).to(self.device)
            members = [batch.of_member(k) if states else batch for k in range(len(networks))]
            each = [torch.sigmoid(n(b).float()) for n, b in zip(networks, members, strict=True)]
            out = torch.stack(each).mean(dim=0)
            hazard[rows, : out.shape[1]] = out.cpu().numpy()
        hazard[np.arange(hazard.shape[1])[None, :] >= data.views.segments[:, None]] = 0.0
        return hazard

    def _nll(self, network: HazardNetwork, data: Dataset, learner: Statistics, tables: Tables) -> float:
        nll = np.empty(len(data))
        for rows, part in by_users(data, _PART_ROWS):
            hazard = self._mean_hazard([network], part, learner.inputs(part, tables))
            nll[rows] = exit_nll(from_hazard(hazard, part.views).slots, part.views.exit)
        return float(nll.mean())

    def _batch(
        self,
        data: Dataset,
        inputs: Inputs,
        rows: Rows,
        generator: np.random.Generator | None = None,
        states: SegmentStates | None = None,
    ) -> HazardBatch:
        """The batch of the given views; with a generator, a training batch that may lack modalities."""
        scale_view = self.scalers[0]
        segments = data.views.segments[rows].astype(np.int64)
        width = int(segments.max())
        mask = np.arange(width)[None, :] < segments[:, None]
        token, age, there = self._history(data, inputs, rows)
        content = None
        surprise = weight = np.zeros((len(rows), 0), np.float32)
        if self.dims:
            past_row, viewed, surprise, weight = self._evidence(data, inputs, rows)
            read = partial(states.read, data.store) if states and data.store is not None else None
            content = gather_content(data, rows, mask, past_row, viewed, tuple(self.dims), read)
            if generator is not None:
                dropped = [m for m in self.dims if generator.random() < self.config.modality_dropout]
                if len(dropped) < len(self.dims):
                    valid = {m: v & (m not in dropped) for m, v in content.valid.items()}
                    content = replace(content, valid=valid)
        offset = inputs.offset[rows, :width]
        return HazardBatch(
            view=torch.from_numpy(scale_view(inputs.view[rows])),
            user=torch.from_numpy(self._user(inputs, rows)),
            token=torch.from_numpy(token),
            age=torch.from_numpy(age),
            token_mask=torch.from_numpy(there),
            segment=torch.from_numpy(segment_features(data.views, rows, offset, width)),
            to_end=torch.from_numpy(np.maximum(segments[:, None] - 1 - np.arange(width)[None, :], 0)),
            offset=torch.from_numpy(offset),
            segments=torch.from_numpy(segments),
            exit=torch.from_numpy(data.views.exit[rows].astype(np.int64)),
            content=content,
            surprise=torch.from_numpy(surprise),
            weight=torch.from_numpy(weight),
        )

    def _user(self, inputs: Inputs, rows: Rows) -> Float32:
        """Standardised running statistics of the users of the given views (B, ·); zero where they are switched off."""
        return self.scalers[1](inputs.user[rows]) * np.float32(self.config.user_statistics)

    def _history(self, data: Dataset, inputs: Inputs, rows: Rows) -> tuple[Float32, Float32, Bool]:
        """The last views before the given ones: standardised (B, HISTORY_VIEWS, ·), their age, and which there are."""
        last = data.last_views[rows]
        # Without attention there is nothing to attend to.
        there = (last >= 0) & self.config.attention
        age_s = np.maximum(data.views.time_ms[rows][:, None] - of_past(data.past.time_ms, last), 0) / 1000.0
        back = np.broadcast_to(np.arange(HISTORY_VIEWS)[::-1], last.shape)
        log_age = np.log10(age_s + 1.0)
        age = np.stack([log_age / 3, np.exp(-back / 5), back / HISTORY_VIEWS, log_age < 3.3], axis=2) * there[..., None]
        token = self.scalers[2](of_past(inputs.past.token, last)) * there[..., None]
        return token.astype(np.float32), age.astype(np.float32), there

    def _evidence(self, data: Dataset, inputs: Inputs, rows: Rows) -> tuple[Rows, Rows, Float32, Float32]:
        """The newest segments viewed before the given views: as row of the past and index, and left - h, h (1 - h)."""
        past_row, segment = data.history_segments(rows)
        expected = inputs.past.hazard[past_row, segment] if len(data.past) else np.zeros(past_row.shape)
        left = of_past(data.past.exit, past_row) == segment
        seen = past_row >= 0
        surprise = ((left - expected) * seen).astype(np.float32)
        return past_row, segment, surprise, (expected * (1 - expected) * seen).astype(np.float32)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts = {
            "users": list(self.users.ids),
            "videos": list(self.videos.ids),
            "dims": dict(self.dims),
            "widths": [self.widths.view, self.widths.user, self.widths.token],
        }
        arrays: Arrays = {"user_fold": self.statistics.user_fold, "last_ms": self.last_ms}
        for name, scaler in zip(_SCALERS, self.scalers, strict=True):
            arrays |= {f"{name}.mean": scaler.mean, f"{name}.scale": scaler.scale}
        for name, tables in (("inside", self.inside), ("after", self.after)):
            arrays |= {f"{name}.{k}": v for k, v in tables.arrays().items()}
        for member, network in enumerate(self.networks):
            arrays |= {f"member_{member}.{k}": v.detach().cpu().numpy() for k, v in network.state_dict().items()}
        return facts, arrays

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        c = self.config
        self.users, self.videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        self.dims, self.device = facts["dims"], "cpu"
        view, user, token = facts["widths"]
        self.widths = self._make_widths(view, user, token)
        self.last_ms = arrays["last_ms"]
        self.statistics = self._make_statistics(arrays["user_fold"])
        self.scalers = [Scaler(arrays[f"{n}.mean"], arrays[f"{n}.scale"]) for n in _SCALERS]
        self.inside, self.after = (Tables.of_arrays(arrays_under(arrays, name)) for name in ("inside", "after"))
        self.networks = []
        for member in range(c.members):
            network = HazardNetwork(self.widths, self.dims)
            weights = {k: torch.from_numpy(np.array(v)) for k, v in arrays_under(arrays, f"member_{member}").items()}
            network.load_state_dict(weights)
            self.networks.append(network.eval())
        self._settle()


_SCALERS = ("view", "user", "token")


def _row_parts(count: int) -> list[Rows]:
    """The numbers up to ``count``, in parts of at most as many as are scored at a time."""
    return np.array_split(np.arange(count), range(_PART_ROWS, count, _PART_ROWS))


def _when(data: Dataset) -> tuple[tuple[int, int], int]:
    """History and time of the first view."""
    first, end = data.history[0].tolist()
    return (first, end), int(data.views.time_ms[0])


def _one_moment(data: Dataset) -> bool:
    """Whether all views have the same history and time, as a user's candidates have."""
    return bool((data.history == data.history[0]).all() and (data.views.time_ms == data.views.time_ms[0]).all())


def _renamed(record: Mapping[str, Any], member: int, c: HazardConfig, run: FitRun) -> dict[str, Any]:
    """One counter over the epochs of all members."""
    return {**record, "epoch": member * (run.epochs or c.epochs) + record["epoch"], "member": member}
