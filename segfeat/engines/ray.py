"""Ray Data: one row is one shard, done from beginning to end by one actor; only names and counts travel."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from segfeat.engines.base import Setup
from segfeat.engines.depot import Depot
from segfeat.engines.remnants import run_to_the_end
from segfeat.engines.worker import Refused, ShardWorker
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard

RETRIES = 2
"""How often a shard is tried again whose worker died. Ray's own default is for ever, which a poisonous file takes."""

MOST_CORES = 8
"""An actor's cores by default, where its machine has so many: one shard's decoding hardly keeps more busy."""

Worker = Callable[[Setup, str, int], ShardWorker]


@dataclass(frozen=True)
class Ray:
    """Actors on the machines of a Ray cluster.

    Attributes
    ----------
    address : str or None
        Of the cluster, as ``ray.init`` takes it; None: the one that RAY_ADDRESS names, else one on this machine.
    actors : pair of int or None
        Fewest and most; None: as many as there is room for.
    cores_per_actor : int or None
    gpus_per_actor : float
    shards : str or None
        Address of a folder in object storage for workers that share no disk with the driver.
    worker : callable
        Makes the worker inside an actor.
    """

    address: str | None = None
    actors: tuple[int, int] | None = None
    cores_per_actor: int | None = None
    gpus_per_actor: float = 0.0
    shards: str | None = None
    worker: Worker = ShardWorker

    elsewhere: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.actors is not None and not 1 <= self.actors[0] <= self.actors[1]:
            raise ValueError(f"actors {self.actors[0]}:{self.actors[1]}: needed are MIN:MAX with 1 <= MIN <= MAX")
        if self.cores_per_actor is not None and self.cores_per_actor < 1:
            raise ValueError(f"an actor needs at least one core, not {self.cores_per_actor}")
        if not self.gpus_per_actor >= 0:
            raise ValueError(f"an actor cannot have {self.gpus_per_actor} GPUs")

    def run(self, shards: Sequence[Shard], setup: Setup, folder: Path, report: Callable[[Progress], None]) -> None:
        """See `segfeat.engines.base.Engine`; reports every shard."""
        if setup.device == "auto":
            setup = replace(setup, device="cuda" if self.gpus_per_actor else "cpu")
        left = self._known(shards, setup, folder, report)
        if not left:
            return
        with _cluster(self.address) as nodes:
            attempt = partial(self._attempt, setup=setup, folder=folder, report=report, nodes=nodes)
            run_to_the_end(left, setup, folder, attempt, report)

    def _known(
        self, shards: Sequence[Shard], setup: Setup, folder: Path, report: Callable[[Progress], None]
    ) -> list[Shard]:
        """The shards that are not in the depot yet; the others are brought here."""
        if self.shards is None:
            return list(shards)
        names = Depot(self.shards).names()
        there = [shard for shard in shards if shard.name(setup.header) in names]
        Depot(self.shards).fetch([shard.name(setup.header) for shard in there], folder)
        for shard in there:
            report(Progress(shards_done=1, videos_done=len(shard.sources), _bytes_done=shard.size_bytes))
        return [shard for shard in shards if shard.name(setup.header) not in names]

    def _attempt(
        self,
        shards: Sequence[Shard],
        setup: Setup,
        folder: Path,
        report: Callable[[Progress], None],
        nodes: Sequence[Mapping[str, float]],
    ) -> dict[str, str]:
        """Try every shard; why those that were not written were not, where somebody lived to say so."""
        import ray.data

        cores = self.cores_per_actor or max(1, int(min(MOST_CORES, *(node.get("CPU", 1) for node in nodes))))
        fewest, most = self.actors or (1, _room(nodes, cores, self.gpus_per_actor))
        rows = [{"shard": shard.to_json(), "name": shard.name(setup.header)} for shard in shards]
        actor: Any = _Actor
        # Ray says that options of actors such as retries will be called otherwise, and has no other name for them yet.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        # One shard at an actor at a time: one that waits behind a poisonous shard would lose its own tries to it.
        pool = ray.data.ActorPoolStrategy(
            min_size=min(fewest, len(rows)), max_size=min(most, len(rows)), max_tasks_in_flight_per_actor=1
        )
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            actor,
            fn_constructor_args=(self.worker, setup, self.shards or str(folder), cores),
            compute=pool,
            num_cpus=cores,
            num_gpus=self.gpus_per_actor or None,
            max_task_retries=RETRIES,
        )
        reasons: dict[str, str] = {}
        seen: set[str] = set()
        for row in dataset.iter_rows():
            answer = json.loads(row["answer"])
            seen.add(answer["actor"])
            if answer["kind"] == "refused":
                raise ValueError(answer["message"])
            if answer["kind"] == "disk":
                raise OSError(f"worker on {answer['host']}: {answer['message']}")
            if answer["kind"] == "failed":
                reasons[answer["name"]] = answer["message"]
                continue
            done = Progress.from_counts(answer["counts"])
            done.actors = len(seen)
            report(done)
        if self.shards is not None:
            depot = Depot(self.shards)
            there = depot.names()
            depot.fetch([name for shard in shards if (name := shard.name(setup.header)) in there], folder)
        return reasons


class _Actor:
    """What Ray keeps alive: answers with words instead of exceptions, as those would be tried again or end the job."""

    def __init__(self, worker: Worker, setup: Setup, folder: str, cores: int) -> None:
        import socket

        import ray

        self._about = {"actor": ray.get_runtime_context().get_actor_id(), "host": socket.gethostname()}
        self._refused = ""
        try:
            self._worker = worker(setup, folder, cores)
        except ValueError as error:  # weights that cannot be had are one, too
            self._refused = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        return {"answer": json.dumps({**self._about, "name": row["name"], **self._answer(row["shard"])})}

    def _answer(self, shard: str) -> dict[str, Any]:
        if self._refused:
            return {"kind": "refused", "message": self._refused}
        try:
            return {"kind": "done", "counts": self._worker.extract(Shard.from_json(shard)).counts()}
        except (Refused, ValueError) as error:
            return {"kind": "refused", "message": str(error)}
        except OSError as error:
            return {"kind": "disk", "message": str(error)}
        except Exception as error:  # of an encoder, on these videos: others may still be well
            return {"kind": "failed", "message": f"{type(error).__name__}: {error}"}


@contextmanager
def _cluster(address: str | None) -> Iterator[list[Mapping[str, float]]]:
    """A connection to the cluster for as long as it takes, and what each of its nodes has."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError("the engine ray needs Ray: pip install 'segfeat[ray]'") from error
    mine = not ray.is_initialized()
    alone = address in (None, "local") and "RAY_ADDRESS" not in os.environ
    if mine:
        # A cluster of our own is for this machine alone, and nobody looks at its dashboard.
        options: dict[str, Any] = {"include_dashboard": False} if alone else {}
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ValueError(f"no Ray cluster at {address or os.environ.get('RAY_ADDRESS')}: {error}") from error
    context = ray.data.DataContext.get_current()
    scaling = context.autoscaling_config
    before = context.max_errored_blocks, context.enable_progress_bars, scaling.actor_pool_util_upscaling_threshold
    logger = logging.getLogger("ray.data")
    level = logger.level
    try:
        # A shard whose worker died too often is left to us; a trace of it on the terminal says nothing to a user.
        context.max_errored_blocks, context.enable_progress_bars = -1, False
        # Actors that have one shard each, and none waiting behind it, are as busy as they can be: more are wanted.
        scaling.actor_pool_util_upscaling_threshold = 1.0
        logger.setLevel(logging.CRITICAL)
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        context.max_errored_blocks, context.enable_progress_bars, scaling.actor_pool_util_upscaling_threshold = before
        logger.setLevel(level)
        if mine:
            ray.shutdown()


def _room(nodes: Sequence[Mapping[str, float]], cores: int, gpus: float) -> int:
    """How many actors fit on the nodes that are there now; at least one, for which Ray may have to wait."""
    fitting = [min(node.get("CPU", 0) // cores, node.get("GPU", 0) // gpus if gpus else float("inf")) for node in nodes]
    return max(1, int(sum(fitting)))
