"""What every model of the registry is: fitted on a dataset, asked about views, saved without pickle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from segmodel.data.dataset import Dataset
from segmodel.data.parts import SplitLog
from segmodel.data.splits import Split
from segmodel.data.views import Rows, Views
from segmodel.models.world import ALONE, World
from segmodel.prediction import SkipPrediction

Arrays = dict[str, npt.NDArray[Any]]


def _silent(record: Mapping[str, Any]) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class FitRun:
    """How a fit is carried out, as opposed to what is fitted.

    Attributes
    ----------
    seed : int
    device : str
        ``cpu`` or ``cuda[:i]``.
    epochs : int or None
        Overrides the model's own limit.
    folder : path or None
        Where networks leave a checkpoint after each epoch and pick it up again.
    report : callable
        Receives one flat record per epoch.
    world : World
        The processes that train together.
    """

    seed: int = 0
    device: str = "cpu"
    epochs: int | None = None
    folder: Path | None = None
    report: Callable[[Mapping[str, Any]], None] = _silent
    world: World = ALONE


class Unadaptable(ValueError):
    """A model that must be trained anew where another could go on."""


class SegmentModel(ABC):
    """A model of the registry.

    Subclasses name a frozen dataclass ``Config`` whose fields are the keys of ``segmodel train --set``.
    """

    Config: ClassVar[type]
    learns_in_parts: ClassVar[bool] = False
    """Whether :meth:`fit_parts` takes a log of several parts, of which one is in memory at a time."""
    trains_together: ClassVar[bool] = False
    """Whether several processes can share a training."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        """Learn from ``split.train``; ``split.valid`` may choose among fits, ``split.test`` is never touched."""

    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        """Learn from a log in parts, where :attr:`learns_in_parts`."""
        raise NotImplementedError(f"a {type(self).__name__} learns from a log in memory alone")

    def adapt(self, data: Dataset, split: Split, run: FitRun) -> None:
        """Move to another log: ids and statistics are learned from it, trained weights stay as they are.

        Raises
        ------
        Unadaptable
            If the model has nothing that carries over to users and videos of another log.
        """
        raise Unadaptable(f"a {type(self).__name__} knows its own users and videos alone; train it on the other log")

    def update(self, data: Dataset, split: Split, fresh: Rows, run: FitRun) -> None:
        """Go on learning, after the log has grown.

        Parameters
        ----------
        data, split
            Of the whole log, as in :meth:`fit`.
        fresh : int (F,)
            Those of ``split.train`` that the model has not been trained on.
        run : FitRun

        Raises
        ------
        Unadaptable
            If the model cannot but be trained anew.
        """
        raise Unadaptable(f"a {type(self).__name__} cannot go on learning; train it anew on the whole log")

    @abstractmethod
    def predict(self, data: Dataset) -> SkipPrediction:
        """Where each view of ``data`` will end; deterministic, and blind to the views' own watch times."""

    def to(self, device: str) -> None:  # noqa: B027  # most models predict on the CPU, which is fastest for their sizes
        """Predict on ``device`` from now on, where the model has something to move."""

    def warm_up(self) -> None:  # noqa: B027  # most models have loaded all that they need
        """Load what only some predictions need, so that nobody who asks waits for it."""

    def work_out(self, data: Dataset) -> Arrays:
        """What can be worked out once of the log's views, with their histories, so that nobody who asks waits for it.

        It stays beside the model, for it tells what users have watched. Predictions are the same without it.
        """
        return {}

    def recall(self, arrays: Arrays) -> None:  # noqa: B027  # most models work nothing out
        """Take over what :meth:`work_out` returned."""

    def past_has_grown(self, before: Views, after: Views) -> None:  # noqa: B027  # most models remember nothing
        """Hear that ``after``, a user's past, takes the place of ``before``, of which something may be remembered."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What was learned: JSON-able facts and named arrays."""

    @abstractmethod
    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Take over what :meth:`state` of an equal configuration returned."""

    def settings(self) -> dict[str, Any]:
        """The configuration as a flat JSON-able table."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.config).items()}


def named_arrays(arrays: Mapping[str, npt.NDArray[Any]], *names: str) -> list[npt.NDArray[Any]]:
    """The named arrays, in order.

    Raises
    ------
    ValueError
        If one is missing: the file was written by another model or cut off.
    """
    missing = [n for n in names if n not in arrays]
    if missing:
        raise ValueError(f"the model file lacks {', '.join(missing)}; it has {', '.join(arrays) or 'nothing'}")
    return [np.asarray(arrays[n]) for n in names]


def arrays_under(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """The arrays whose names begin with ``prefix.``, without it."""
    return {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{prefix}.")}
