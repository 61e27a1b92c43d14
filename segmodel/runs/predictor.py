"""Predictor: a run with everything it needs to say who will leave where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from segfeat.interactions import Interactions
from segfeat.types import Bool, Float64
from segmodel.data.dataset import Dataset
from segmodel.data.log import Log
from segmodel.data.parts import TEST
from segmodel.data.views import Views
from segmodel.prediction import SkipPrediction
from segmodel.runs.data import PairData, RunData, open_data
from segmodel.runs.heat_strips import heat_strips
from segmodel.runs.pairs import pairs_of
from segmodel.runs.run import LATEST, Run, load_run
from segmodel.tables import write_table

if TYPE_CHECKING:
    import pandas as pd


class SkippedPair(NamedTuple):
    """A pair that could not be predicted, and why."""

    user_id: str
    video_id: str
    reason: str


@dataclass(frozen=True, eq=False)
class PairPredictions:
    """Predictions in the order of the pairs asked for.

    Attributes
    ----------
    views : Views
        One per predicted pair, P of them.
    prediction : SkipPrediction
    user_known : bool (P,)
        Whether log or history hold a view of the user; else the prediction is one for somebody unknown.
    skipped : tuple of SkippedPair
        Pairs that could not be predicted.
    """

    views: Views
    prediction: SkipPrediction
    user_known: Bool
    skipped: tuple[SkippedPair, ...] = ()

    def __len__(self) -> int:
        return len(self.views)

    def __repr__(self) -> str:
        more = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return f"<PairPredictions: {len(self):,} pairs{more}>"

    def _repr_html_(self) -> str:
        return heat_strips(self.views, self.prediction, hint=": .to_frame()")

    @property
    def video_known(self) -> Bool:
        """(P,) whether the video is in the store; else nothing but its length is known."""
        return self.views.store_row >= 0

    @property
    def interest(self) -> Float64:
        """(P, S) higher = stays; 0 on padding."""
        return self.prediction.interest

    @property
    def hazard(self) -> Float64:
        """(P, S) P(leaves in s | reached s); 0 on padding."""
        return self.prediction.hazard

    @property
    def survival(self) -> Float64:
        """(P, S) P(watches past segment s)."""
        return self.prediction.survival

    @property
    def expected_watch_s(self) -> Float64:
        """(P,) in seconds."""
        return self.prediction.expected_watch_s

    @property
    def completion(self) -> Float64:
        """(P,) P(watches to the end)."""
        return self.prediction.completion

    def reasons(self) -> dict[str, int]:
        """How many pairs were skipped for each reason."""
        return dict(Counter(pair.reason for pair in self.skipped))

    def to_frame(self) -> pd.DataFrame:
        """One row per segment, with interest, skip_probability (leaves in it) and survival (watches past it)."""
        import pandas as pd

        v, p, spans = self.views, self.prediction, self.views.spans()
        pair, segment = spans.view, spans.segment
        return pd.DataFrame(
            {
                "user_id": v.user_ids[v.user[pair]],
                "video_id": v.video_ids[v.video[pair]],
                "time_ms": v.time_ms[pair],
                "segment": segment,
                "start_s": spans.start_s,
                "end_s": spans.end_s,
                "interest": p.interest[pair, segment],
                "skip_probability": p.skip_probability[pair, segment],
                "survival": p.survival[pair, segment],
                "user_known": self.user_known[pair],
                "video_known": self.video_known[pair],
            }
        )

    def write(self, path: str | Path) -> None:
        """Write :meth:`to_frame` in the format of the file's name; see :func:`segmodel.tables.write_table`."""
        write_table(self.to_frame(), path)


@dataclass(frozen=True, eq=False)
class Predictor:
    """A run and its data; a context manager that closes the store.

    Attributes
    ----------
    run : Run
    data : RunData
    """

    run: Run
    data: RunData

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.data.store.close()

    def test(self) -> PairPredictions:
        """Predictions for the run's own test views, in the order of the log.

        Raises
        ------
        ValueError
            If there is no log.
        """
        if self.data.history is not None:
            return self._of_pairs(self.data.test_pairs())
        data = self.data.dataset.take(self.data.split.test)
        return self._of(data.take(np.argsort(data.views.log_row, kind="stable")))

    def test_parts(self) -> Iterator[PairPredictions]:
        """The same, of the parts of a log that is walked over in parts: one after another, each in its order."""
        for part in self.data.parts.parts(TEST):
            yield PairPredictions(part.views, self.run.model.predict(part), np.ones(len(part), dtype=bool))

    def pairs(self, pairs: Interactions) -> PairPredictions:
        """Predictions for pairs; earlier ones with a watch time are history for later ones.

        Raises
        ------
        ValueError
            If no pair can be predicted; the message has the reasons.
        """
        return self._of_pairs(self.data.pairs(pairs))

    def product(self, users: Sequence[str], videos: Sequence[str]) -> PairPredictions:
        """Predictions for every user with every video, each after the user's last known view; errors as above."""
        return self.pairs(pairs_of(users, videos, self.data.known_of(users)))

    def _of_pairs(self, found: PairData) -> PairPredictions:
        asked = found.asked
        skipped = tuple(
            SkippedPair(str(asked.user_ids[asked.user[i]]), str(asked.video_ids[asked.video[i]]), str(found.reason[i]))
            for i in np.flatnonzero(found.reason != "").tolist()
        )
        if not len(found.data):
            told = ", ".join(f"{n:,} × {r}" for r, n in Counter(pair.reason for pair in skipped).items())
            first = f" (the first: video {skipped[0].video_id!r})" if skipped else ""
            raise ValueError(f"no pair can be predicted: {told or 'there are none'}{first}")
        return self._of(found.data, skipped)

    def _of(self, data: Dataset, skipped: tuple[SkippedPair, ...] = ()) -> PairPredictions:
        views, known = data.views, self.data.known_users(data.views.user_ids.tolist())
        asked = np.array([user in known for user in views.user_ids.tolist()], dtype=bool)
        return PairPredictions(views, self.run.model.predict(data), asked[views.user], skipped)


def open_predictor(
    run: Run | str | Path = LATEST,
    store: str | Path | None = None,
    history: Log | None = None,
    unit: Sequence[str] = (),
) -> Predictor:
    """Open a run with its store and log.

    Parameters
    ----------
    run : Run or path
    store : path, optional
        Default: the one the run recorded.
    history : Interactions, DataFrame or paths, optional
        Views beyond the log.
    unit : sequence of str
        In what it, and whatever is read later, counts time, as in ``--unit``; default: as the run's log.

    Raises
    ------
    ValueError
        If run, store or a log cannot be opened, or the store does not fit the run.
    """
    opened = run if isinstance(run, Run) else load_run(run)
    data = open_data(opened.config, opened.open_store(store), history, unit)
    if data.store.content_hash == opened.data["store_hash"]:
        opened.recall()
        return Predictor(opened, data)
    # Of other features a model works out something else, so it is not the one that others may be asking.
    return Predictor(replace(opened), data)
