"""LiveScorer: an opened run that answers questions about one user and many videos."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from segfeat.interactions import Categories, Interactions, Millis
from segfeat.log_check import UNIT_WORDS, unit_of_dates
from segmodel.data.dataset import Dataset
from segmodel.data.views import UNKNOWN, Views
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.runs.predictor import Predictor, open_predictor
from segmodel.serve.journal import Journal, WatchedView, interactions_of, open_journal
from segmodel.serve.user_history import UserHistories

MAX_VIDEOS = 500
MAX_HISTORY = 1000

_READ_USERS, _READ_USERS_S = 1000, 2.0
"""At most so many of the busiest users are read before the first question, and no longer than that."""


class BadQuestion(ValueError):
    """What was asked cannot be answered, whoever asks again."""


@dataclass(frozen=True)
class Question:
    """Where will this user leave these videos?

    Attributes
    ----------
    video_ids : sequence of str
        Repeated ones count once.
    user_id : str, optional
        Whose past counts; else ``history`` is the past of somebody unknown.
    history : sequence of WatchedView
    durations_ms : mapping of video id to int
        For videos that are not in the store.
    time_ms : int, optional
        When; just after the last known view where absent.
    context : mapping of name to value
        Of the moment; columns of the run's log that are not named are unknown.
    """

    video_ids: Sequence[str]
    user_id: str | None = None
    history: Sequence[WatchedView] = ()
    durations_ms: Mapping[str, int] = field(default_factory=dict)
    time_ms: int | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Answer:
    """The predicted videos in the order asked for, and why others are not among them.

    Attributes
    ----------
    views : Views
    video_ids : list of str
        One per view.
    prediction : SkipPrediction
    skipped : dict of video id to reason
    time_ms : int
        The moment that the answer is for.
    user_known : bool
        Whether anything that the user has watched is known.
    """

    views: Views
    video_ids: list[str]
    prediction: SkipPrediction
    skipped: dict[str, str]
    time_ms: int
    user_known: bool


class LiveScorer:
    """A run with its data, and every user's past; for one thread at a time.

    Answers are those of ``segmodel predict-skip --history JOURNAL``.

    Parameters
    ----------
    predictor : Predictor
    journal : Journal
        This scorer's own connection; closed with it.
    """

    def __init__(self, predictor: Predictor, journal: Journal) -> None:
        self.run, self.data, self._journal = predictor.run, predictor.data, journal
        store = self.data.store
        # Most questions are about videos of the store alone, and what is known of those stays the same.
        ids = store.video_ids.tolist()
        shown = interactions_of([WatchedView("", v, time_ms=0, duration_ms=0, watch_ms=0) for v in ids])
        self._shown = self.data.views(shown.with_durations(store.duration_ms), watch_needed=False)
        self._row = {ids[i]: row for row, i in enumerate(self._shown.log_row.tolist())}
        self.pasts = UserHistories(self.data, journal, self.run.model.past_has_grown)
        self._shown = replace(self._shown, video=self.pasts.table.codes(ids, {})[self._shown.log_row])
        self.run.model.warm_up()
        # The first answer about a user or a video is slow, so as many as time allows are given to nobody.
        until_s, videos = time.monotonic() + _READ_USERS_S, ids[:MAX_VIDEOS]
        for user_id in self.pasts.users(_READ_USERS):
            self.answer(Question(videos, user_id))
            videos = videos[:1]
            if time.monotonic() > until_s:
                break

    def close(self) -> None:
        """Let go of store and journal."""
        self._journal.close()
        self.data.store.close()

    def answer(self, question: Question) -> Answer:
        """Predict, knowing all that the journal holds by now.

        Raises
        ------
        BadQuestion
            If a video of the given history is neither in the store nor has a duration, or the run's log has no such
            context.
        """
        self.check_context(question.context)
        self.pasts.refresh()
        visitors: dict[str, int] = {}
        if question.user_id is None:
            past = self.pasts.explicit(self._history(question), "", visitors)
        else:
            past = self.pasts.of(question.user_id)
        time_ms = past.last_ms + 1 if question.time_ms is None else question.time_ms
        ids = list(dict.fromkeys(question.video_ids))
        if question.time_ms is not None:
            self._check_times(np.array([question.time_ms]))
        views, skipped = self._views(ids, question.durations_ms, time_ms, visitors)
        context = {
            name: Categories(np.zeros(len(views), np.int32), np.array([value], dtype=object))
            for name, value in question.context.items()
        }
        views = replace(views, user_ids=past.views.user_ids, video_ids=past.views.video_ids, context=context)
        end = int(np.searchsorted(past.views.time_ms, time_ms, side="left"))
        history = np.tile(np.array([0, end], dtype=np.int64), (len(views), 1))
        data = Dataset(views, past.views if len(past.views) else self.pasts.anybody(), history, self.data.store)
        prediction = self.run.model.predict(data) if len(data) else from_slots(np.zeros((0, 2)), views)
        if skipped:
            ids = [ids[i] for i in views.log_row.tolist()]
        return Answer(views, ids, prediction, skipped, time_ms, past.last_ms >= 0)

    def video(self, video_id: str) -> tuple[str, tuple[bytes, ...]]:
        """Title of a video of the store, and a small picture of each of its segments.

        Raises
        ------
        BadQuestion
            If the video is not in the store.
        """
        store = self.data.store
        if video_id not in store:
            raise BadQuestion(f"video {video_id!r} is not in the store")
        found = store[video_id]
        return found.title, found.thumbnails

    def check_known(self, view: WatchedView) -> None:
        """Raise BadQuestion for a view of unknown length, or with a time or context that cannot be of the run's log."""
        self.check_context(view.context)
        self._check_times(np.array([view.time_ms]))
        self._with_durations(interactions_of([view]))

    def check_context(self, context: Mapping[str, str]) -> None:
        """Raise BadQuestion for names that are no context columns of the run's log."""
        for name in context:
            if name not in self.data.context:
                there = ", ".join(self.data.context) or "none"
                raise BadQuestion(f"{name!r} is no context column of the run's log, which has: {there}")

    def _views(
        self, ids: list[str], durations_ms: Mapping[str, int], time_ms: int, visitors: dict[str, int]
    ) -> tuple[Views, dict[str, str]]:
        """One view per video, all of one user at one moment, and why other videos are not among them."""
        rows = [self._row.get(v, UNKNOWN) for v in ids]
        if not durations_ms and UNKNOWN not in rows:
            order = np.arange(len(ids))
            return replace(self._shown.take(np.array(rows)), time_ms=np.full(len(ids), time_ms), log_row=order), {}
        asked = interactions_of([WatchedView("", v, time_ms, durations_ms.get(v, 0), watch_ms=0) for v in ids])
        asked = asked.with_durations(self.data.store.duration_ms)
        views = self.data.views(asked, watch_needed=False)
        codes = self.pasts.table.codes(ids, visitors)
        reason = self.data.reasons(asked, views)
        skipped = {ids[i]: str(reason[i]) for i in np.flatnonzero(reason != "").tolist()}
        return replace(views, video=codes[views.video]), skipped

    def _history(self, question: Question) -> Interactions:
        for view in question.history:
            self.check_context(view.context)
        history = self._with_durations(interactions_of(list(question.history), self.data.context))
        self._check_times(history.time_ms)
        return history.take(history.first_of_duplicates())

    def _check_times(self, time_ms: Millis) -> None:
        unit = unit_of_dates(time_ms) if self.data.dated else ""
        if unit not in ("", "ms"):
            raise BadQuestion(f"time_ms is in {UNIT_WORDS[unit]} since 1970; needed are milliseconds")

    def _with_durations(self, log: Interactions) -> Interactions:
        log = log.with_durations(self.data.store.duration_ms)
        unknown = np.flatnonzero(log.duration_ms <= 0)
        if len(unknown):
            video = log.video_ids[log.video[unknown[0]]]
            raise BadQuestion(f"video {video!r} is not in the store, and no duration is given for it")
        return log


def open_scorer(
    folder: Path,
    journal: str | Path,
    store: Path | None = None,
    history: Sequence[Path] = (),
    unit: Sequence[str] = (),
) -> LiveScorer:
    """Open the run in ``folder``, or where that links to, with everything it needs.

    Raises
    ------
    ValueError
        If run, store, history or journal cannot be opened.
    """
    predictor = open_predictor(folder.resolve(), store, history, unit)
    return LiveScorer(predictor, open_journal(journal, predictor.data.context))
