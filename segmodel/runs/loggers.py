"""Where training curves go beside ``metrics.jsonl``: TensorBoard, MLflow, Weights & Biases.

A new logger is a class like the ones below and one line in :data:`LOGGERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

LOGGERS: Mapping[str, str] = {
    "tensorboard": "segmodel.runs.loggers:TensorBoard",
    "mlflow": "segmodel.runs.loggers:MLflow",
    "wandb": "segmodel.runs.loggers:WeightsAndBiases",
}
"""Name -> module and class; an extra of the same name installs what it needs."""


class Logger(Protocol):
    """Told of one run. Made of its folder and its configuration as a flat table."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None: ...

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        """Take the figures of an epoch."""

    def close(self, well: bool) -> None:
        """Write what is left; ``well`` is False where the training failed or was interrupted."""


class TensorBoard:
    """Event files in ``tensorboard/`` of the run's folder: ``tensorboard --logdir runs``."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("config", "\n".join(f"    {k}: {v}" for k, v in config.items()))

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self, well: bool) -> None:
        self._writer.close()


class MLflow:
    """A run of the experiment ``segmodel`` (or ``MLFLOW_EXPERIMENT_NAME``), at ``MLFLOW_TRACKING_URI``."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import os

        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "segmodel")
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self._run = self._client.create_run(experiment, run_name=folder.name).info.run_id
        for key, value in config.items():
            self._client.log_param(self._run, key, value)

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=epoch)

    def close(self, well: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if well else "FAILED")


class WeightsAndBiases:
    """A run of the project ``segmodel`` (or ``WANDB_PROJECT``); ``WANDB_MODE=offline`` keeps it in the run's folder."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import os

        import wandb

        project = os.environ.get("WANDB_PROJECT", "segmodel")
        self._run = wandb.init(project=project, name=folder.name, dir=str(folder), config=dict(config))

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=epoch)

    def close(self, well: bool) -> None:
        self._run.finish(exit_code=0 if well else 1)


def logger_class(name: str) -> type[Logger]:
    """The class behind a name.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the valid ones.
    """
    if name not in LOGGERS:
        raise ValueError(f"unknown logger {name!r}; valid are {', '.join(LOGGERS)}")
    module, _, attribute = LOGGERS[name].partition(":")
    found: type[Logger] = getattr(import_module(module), attribute)
    return found


@contextmanager
def logging_to(
    names: Sequence[str], folder: Path, config: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A callback that hands the records of a fit (``FitRun.report``) to loggers, which are closed however it ends.

    Parameters
    ----------
    names : sequence of str
        Of :data:`LOGGERS`; none is fine.
    folder : path
        Of the run.
    config : mapping
        What the run is; nested tables are flattened as ``settings.width``.

    Raises
    ------
    ValueError
        For an unknown name, or one whose package is missing; the message says what to install.
    """
    loggers: list[Logger] = []

    def record(line: Mapping[str, Any]) -> None:
        values = {k: float(v) for k, v in line.items() if k != "epoch" and isinstance(v, int | float)}
        for logger in loggers:
            logger.record(int(line["epoch"]), values)

    with ExitStack() as stack:
        for name in names:
            try:
                logger = logger_class(name)(folder, dict(_flat(config)))
            except ImportError as error:
                raise ValueError(f"{name} is not installed ({error}); pip install 'segfeat[{name}]'") from error
            stack.push(lambda kind, _error, _trace, logger=logger: logger.close(kind is None))
            loggers.append(logger)
        yield record


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
