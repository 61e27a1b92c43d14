"""Model: what a training gives and a library user asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segfeat.store.reader import FeatureStore
from segmodel.data.log import Log
from segmodel.recommend import DIRECT
from segmodel.recommend.ranker import Ranking, rank_videos
from segmodel.runs.held_out import BASELINES, Measured, measure_parts, measure_run
from segmodel.runs.predictor import PairPredictions, Predictor
from segmodel.runs.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained model with the store and the watch log that it knows.

    Attributes
    ----------
    predictor : Predictor
        Run and data behind it.
    """

    predictor: Predictor

    def __repr__(self) -> str:
        run = self.predictor.run
        return f"<Model {run.config.model}, run {run.name}, on {self.predictor.data.store.path.name}>"

    @property
    def run(self) -> Run:
        """The run directory, opened."""
        return self.predictor.run

    @property
    def store(self) -> FeatureStore:
        """The feature store."""
        return self.predictor.data.store

    def predict(
        self, users: str | Iterable[str] = (), videos: str | Iterable[str] = (), *, pairs: Log | None = None
    ) -> PairPredictions:
        """Where users will leave videos.

        Parameters
        ----------
        users, videos : ids
            Every user with every video, after the user's last known view.
        pairs : DataFrame, Interactions or path, optional
            Instead: ``user_id``, ``video_id``, ``time_ms`` and, where known, ``duration_ms``; earlier pairs with a
            watch time are history for later ones. With neither, the run's own test views are predicted.

        Returns
        -------
        PairPredictions
            With ``.interest``, ``.hazard``, ``.survival`` (P, S), ``.expected_watch_s`` (P,), ``.skipped`` and
            ``.to_frame()``; pairs of users or videos never seen are predicted and marked.

        Raises
        ------
        ValueError
            If no pair can be predicted, or only one of ``users`` and ``videos`` is given, or ``pairs`` besides.

        Examples
        --------
        >>> model = segmodel.load()                                       # doctest: +SKIP
        >>> model.predict("17", ["cooking-12"]).survival                  # doctest: +SKIP
        array([[0.81, 0.66, 0.52]])
        """
        users, videos = ([v] if isinstance(v, str) else list(v) for v in (users, videos))
        if pairs is not None:
            if users or videos:
                raise ValueError("give either users and videos, or pairs")
            return self.predictor.pairs(self.predictor.data.read(pairs, watch_needed=False))
        if bool(users) != bool(videos):
            raise ValueError("users and videos belong together")
        return self.predictor.product(users, videos) if users else self.predictor.test()

    def recommend(
        self,
        user: str,
        n: int = 10,
        *,
        candidates: Sequence[str] | None = None,
        by: str = DIRECT,
        watched: bool = False,
        device: str = "cpu",
    ) -> Ranking:
        """The store's videos for a user, best first, after their last known view.

        Parameters
        ----------
        user : str
            May be one that nobody has seen.
        n : int
            At most so many.
        candidates : sequence of str, optional
            Ids of videos in the store; all of them where absent.
        by : str
            ``direct``, or the backbone of a SegRec (``widedeep``, ``adagin``, ``din``, ``can``), fitted when first
            asked for.
        watched : bool
            Whether videos that the user has watched before are candidates.
        device : str
            Where a SegRec is fitted.

        Returns
        -------
        Ranking
            With ``.ids``, ``.scores`` and ``.to_frame()``.

        Raises
        ------
        ValueError
            If there is no log, a candidate is not in the store, or none is left to rank.

        Examples
        --------
        >>> segmodel.load().recommend("17", n=3).ids                      # doctest: +SKIP
        ['sea-3', 'cooking-12', 'cats-4']
        """
        return rank_videos(self.predictor, user, candidates, by=by, watched=watched, device=device).top(n)

    def evaluate(self, interactions: Log | None = None, baselines: str | Sequence[str] = ()) -> Measured:
        """The model's metrics on views that it was not trained on, beside simple models.

        Parameters
        ----------
        interactions : DataFrame, Interactions or path, optional
            Views to measure on; default: the run's test views.
        baselines : names, or ``"all"``
            Fitted on the run's training views.

        Returns
        -------
        Measured
            With ``.to_frame()`` (a row per model, group of views and metric) and ``.warnings``.

        Raises
        ------
        ValueError
            If there is no view to measure on, or a baseline is unknown.

        Examples
        --------
        >>> found = segmodel.load().evaluate(baselines=["duration-position"])   # doctest: +SKIP
        >>> found.to_frame().query("group == 'all' and metric == 'nll'")        # doctest: +SKIP
        """
        data, names = self.predictor.data, BASELINES if baselines == "all" else tuple(baselines)
        if interactions is None and data.in_parts and data.history is None:
            return measure_parts(self.predictor, names)
        return measure_run(self.predictor, None if interactions is None else data.read(interactions), names)

    def thumbnail(
        self, user: str, video: str, path: str | Path | None = None, *, videos: str | Path | None = None
    ) -> Image:
        """The picture of the segment that a user would like best, in full size; written to ``path`` where given.

        Parameters
        ----------
        user, video : str
        path : path, optional
            .png, .jpg or .webp.
        videos : path, optional
            Folder of the raw videos; default: where they were extracted from.

        Raises
        ------
        ValueError
            If the video is not in the store, or its file is missing or cannot be read.

        Examples
        --------
        >>> segmodel.load().thumbnail("17", "cooking-12", "cooking-12.png")     # doctest: +SKIP
        """
        from segmodel.media.thumbnail import choose_thumbnails, read_thumbnail, write_thumbnail

        (chosen,) = choose_thumbnails(self.predictor.product([user], [video]), self.store)
        if path is not None:
            return write_thumbnail(chosen, self.store, path, videos)
        return read_thumbnail(chosen, self.store, videos)

    def preview(
        self, user: str, video: str, path: str | Path, *, seconds: float = 6.0, videos: str | Path | None = None
    ) -> tuple[float, float]:
        """Write the stretch that a user would like best as an MP4 with sound; where it begins and ends, in seconds.

        Parameters
        ----------
        user, video : str
        path : path
            An .mp4 file.
        seconds : float
            Its length.
        videos : path, optional
            Folder of the raw videos; default: where they were extracted from.

        Raises
        ------
        ValueError
            If the video is not in the store, or its file is missing or cannot be read.

        Examples
        --------
        >>> segmodel.load().preview("17", "cooking-12", "preview.mp4")          # doctest: +SKIP
        (5.0, 11.0)
        """
        from segmodel.media.preview import choose_previews, write_preview

        (chosen,) = choose_previews(self.predictor.product([user], [video]), seconds)
        write_preview(chosen, self.store, path, videos)
        return chosen.start_s, chosen.end_s

    def report(self, path: str | Path, *, baselines: Sequence[str] = BASELINES, **options: Any) -> Path:
        """Write one HTML file about the model: cases to look at, how good it is, and what it was made from.

        Parameters
        ----------
        path : path
        baselines : sequence of str
            Fitted on the run's training views, for comparison.
        **options
            ``cases``, ``videos`` and ``ablation``; see :func:`segmodel.report.page.write_report`.

        Raises
        ------
        ValueError
            If there is no view to measure on, or a given file cannot be used.

        Examples
        --------
        >>> segmodel.load().report("report.html")                               # doctest: +SKIP
        """
        from segmodel.report.page import write_report

        write_report(self.predictor, path, baselines=baselines, **options)
        return Path(path)
