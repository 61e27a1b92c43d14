"""The default model: statistics, a few networks averaged on the hazard, and the user filter on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.interactions import Ids
from segfeat.types import Int64
from segmodel.data.content import CONTENT
from segmodel.data.dataset import Dataset, by_users
from segmodel.data.parts import ROLES, TRAIN, VALID, Parts, SplitLog
from segmodel.data.splits import Split
from segmodel.data.traits import Traits, trait_kinds
from segmodel.data.views import PART_VIEWS, Rows, Views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, FitRun, SegmentModel, arrays_under
from segmodel.models.hazard.batches import Batches
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.design import Widths
from segmodel.models.hazard.features import Scaler
from segmodel.models.hazard.inference.expectations import Expectations
from segmodel.models.hazard.inference.scorer import Scorer
from segmodel.models.hazard.members import Members
from segmodel.models.hazard.statistics import Statistics
from segmodel.models.hazard.tables import Tables
from segmodel.models.threads import one_blas_thread
from segmodel.prediction import SkipPrediction, from_hazard

if TYPE_CHECKING:
    from segmodel.models.hazard.fitting import Lesson

_SCALERS = ("view", "user", "token")


class HazardModel(SegmentModel):
    """A discrete-time hazard with a proper likelihood: its probabilities mean something.

    Views inside the fitted log are predicted from statistics of its training and validation part, so that evaluating
    on the log's own test views is honest; views later than all the log knows of their user, and users it does not know,
    are predicted from statistics of the whole log, as a live system would.
    """

    Config = HazardConfig
    learns_in_parts = trains_together = True
    config: HazardConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        self.fit_parts(SplitLog.of(data, split), run)

    @one_blas_thread()
    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        from segmodel.models.hazard.fitting import make_scalers

        c = self.config
        here = log.store.encoders if log.store is not None else {}
        self.dims = {m: here[m].dim for m in CONTENT if m in c.modalities and m in here}
        self._meet(log, lambda data: Traits.of(data, trait_kinds(c)), run.seed)
        train, learner = log.parts(TRAIN), self.statistics
        self.training = learner.learn(train)
        self.batches = Batches(c, self.dims, make_scalers(train, learner, self.training))
        widths = self._make_widths(*(len(scaler.mean) for scaler in self.batches.scalers))
        lesson = self._lesson(train, train, log.parts(VALID))
        networks = [lesson.train_member(member, widths, run) for member in range(c.members)]
        self.members = Members.of(networks, widths, self.dims)
        del lesson  # and with it what is known by time, before more tables are made
        self._learn_what_is_known(log, self.training)

    @one_blas_thread()
    def adapt(self, data: Dataset, split: Split, run: FitRun) -> None:
        means_of, log = self.inside, SplitLog.of(data, split)
        self._meet(log, self.traits.renewed, run.seed)
        self._learn_what_is_known(log, means_of)

    @one_blas_thread()
    def update(self, data: Dataset, split: Split, fresh: Rows, run: FitRun) -> None:
        means_of, log = self.inside, SplitLog.of(data, split)
        self._meet(log, self.traits.renewed, run.seed)
        train = log.parts(TRAIN)
        self.training = self.statistics.learn(train, means_of=means_of)
        # As many views that it knows, so that the new ones do not make it forget.
        known = np.setdiff1d(split.train, fresh)
        draw = np.random.default_rng([run.seed, len(data)])
        replayed = draw.choice(known, min(len(fresh), len(known)), replace=False)
        views = Parts.of(data.take(np.sort(np.concatenate([fresh, replayed]))))
        lesson = self._lesson(train, views, log.parts(VALID))
        networks = self.members.networks
        for member, network in enumerate(networks):
            lesson.tune_member(network, member, run)
        self.members = Members.of(networks, self.members.widths, self.dims)
        self._learn_what_is_known(log, self.training)

    def _lesson(self, known: Parts, train: Parts, valid: Parts) -> Lesson:
        """Views to train on, with the statistics of those that ``training`` was learned from."""
        from segmodel.models.hazard.fitting import Lesson

        timed = self.statistics.learn_by_time(known, self.training)
        return Lesson(train, valid, self.statistics, self.training, timed, self.batches)

    def _meet(self, log: SplitLog, traits_of: Callable[[Dataset], Traits], seed: int) -> None:
        """Know the users, videos and categories of a log, and who is in which fold."""
        users, videos, found, last = dict[str, None](), dict[str, None](), Traits(), list[tuple[Ids, Int64]]()

        def meet(data: Dataset, split: Split) -> None:
            nonlocal found
            views, part = data.views, data.take(_all_rows(split))
            users.update(dict.fromkeys(Vocabulary.of(views.user_ids, part.views.user).ids))
            videos.update(dict.fromkeys(Vocabulary.of(views.video_ids, part.views.video).ids))
            found = found.joined(traits_of(part))
            newest = np.full(len(views.user_ids), np.iinfo(np.int64).min)
            np.maximum.at(newest, views.user, views.time_ms)
            last.append((views.user_ids, newest))

        for k in range(log.count):
            meet(*log.load(k))
        self.users, self.videos, self.traits = Vocabulary(tuple(users)), Vocabulary(tuple(videos)), found
        user_fold = np.random.default_rng([seed, 0]).permutation(len(self.users)) % self.config.folds
        user_fold[0] = self.config.folds
        self.last_ms = np.full(len(self.users), np.iinfo(np.int64).min)
        for ids, newest in last:
            np.maximum.at(self.last_ms, self.users.table_codes(ids), newest)
        self.statistics = self._make_statistics(user_fold)

    def _learn_what_is_known(self, log: SplitLog, means_of: Tables) -> None:
        """The statistics that views inside the log, and views after it, are predicted from."""
        self.inside = self.statistics.learn(log.parts(TRAIN, VALID), means_of=means_of)
        self.after = self.statistics.learn(log.parts(*ROLES), means_of=means_of)
        self.scorer = Scorer(self.members, self.batches, self.statistics)

    def warm_up(self) -> None:
        self.members.networks  # noqa: B018  # made when first asked for

    @one_blas_thread()
    def work_out(self, data: Dataset) -> Arrays:
        if not self.config.user_filter:
            return {}
        self.scorer.expect(data, self.after)
        return self.scorer.expectations[self.after].arrays()

    def recall(self, arrays: Arrays) -> None:
        self.scorer.expectations[self.after] = Expectations.of_arrays(arrays)

    def _make_statistics(self, user_fold: np.ndarray) -> Statistics:
        c = self.config
        use_items = "id" in c.modalities
        return Statistics(
            self.users, self.videos, user_fold, c.folds, c.prior_events, c.max_segments, use_items, self.traits
        )

    def _make_widths(self, view: int, user: int, token: int) -> Widths:
        c = self.config
        names = ("width", "rank", "dropout", "taste_heads", "taste_steps", "taste_bounded")
        return Widths(view, user, token, c.max_segments, **{name: getattr(c, name) for name in names})

    @one_blas_thread()
    def predict(self, data: Dataset) -> SkipPrediction:
        views = data.views
        code = self.users.table_codes(views.user_ids)[views.user]
        after = (code == 0) | (views.time_ms > self.last_ms[code])
        return self._predict(data, ((self.inside, np.flatnonzero(~after)), (self.after, np.flatnonzero(after))))

    @one_blas_thread()
    def predict_valid(self, data: Dataset) -> SkipPrediction:
        """Predict validation views as if they had not been learned from; only right after a fit."""
        return self._predict(data, ((self.training, np.arange(len(data))),))

    def _predict(self, data: Dataset, known: Sequence[tuple[Tables, Rows]]) -> SkipPrediction:
        """Every row of ``data`` from the tables it comes with."""
        hazard = np.zeros((len(data), self.config.max_segments))
        for tables, rows in known:
            if len(rows):
                for part_rows, part in by_users(data.take(rows), PART_VIEWS):
                    hazard[rows[part_rows]] = self.scorer.hazard(part, tables)
        return from_hazard(hazard, data.views)

    def past_has_grown(self, before: Views, after: Views) -> None:
        self.scorer.past_has_grown(before, after)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts = {
            "users": list(self.users.ids),
            "videos": list(self.videos.ids),
            "dims": dict(self.dims),
            "traits": self.traits.facts(),
            "widths": [self.members.widths.view, self.members.widths.user, self.members.widths.token],
        }
        arrays: Arrays = {"user_fold": self.statistics.user_fold, "last_ms": self.last_ms}
        for name, scaler in zip(_SCALERS, self.batches.scalers, strict=True):
            arrays |= {f"{name}.mean": scaler.mean, f"{name}.scale": scaler.scale}
        for name, tables in (("inside", self.inside), ("after", self.after)):
            arrays |= {f"{name}.{k}": v for k, v in tables.arrays().items()}
        for member, weights in enumerate(self.members.weights):
            arrays |= {f"member_{member}.{k}": v for k, v in weights.items()}
        return facts, arrays

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        c = self.config
        self.users, self.videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        self.traits = Traits.of_facts(facts.get("traits", {}))
        self.dims = facts["dims"]
        self.last_ms = arrays["last_ms"]
        self.statistics = self._make_statistics(arrays["user_fold"])
        scalers = [Scaler(arrays[f"{n}.mean"], arrays[f"{n}.scale"]) for n in _SCALERS]
        self.batches = Batches(c, self.dims, scalers)
        self.inside, self.after = (
            Tables.of_arrays(arrays_under(arrays, name), self.traits) for name in ("inside", "after")
        )
        weights = [arrays_under(arrays, f"member_{member}") for member in range(c.members)]
        self.members = Members(self._make_widths(*facts["widths"]), self.dims, weights)
        self.scorer = Scorer(self.members, self.batches, self.statistics)


def _all_rows(split: Split) -> Rows:
    return np.sort(np.concatenate([split.train, split.valid, split.test]))
