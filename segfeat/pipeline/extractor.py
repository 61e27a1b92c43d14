"""Shards one after another by the same decode processes and encoders: what a long-lived worker does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.encoding import Encoding
from segfeat.pipeline.engine import reading_task, shares_for, thread_preparer, torch_threads
from segfeat.pipeline.fetching import fetching
from segfeat.pipeline.pool import ReaderPool
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.shard import Shard, write_shard

if TYPE_CHECKING:
    from segfeat.encoders import Encoder


class Extractor:
    """Decode processes and encoding threads that outlast a shard; a context manager.

    Starting them takes seconds, which a shard of short videos does not: started anew for each of 14 segments, a job
    took 1.25 times the processor time of one that keeps them.

    Parameters
    ----------
    settings : Settings
    encoders : mapping of modality to Encoder
    device, workers, video_timeout_s
        As in `segfeat.extract`.
    cores : int or None
        How many it may keep busy; None: all that this process may use. Where several share a machine, each must be
        given its own.
    """

    def __init__(
        self,
        settings: Settings,
        encoders: Mapping[str, Encoder],
        device: str = "auto",
        workers: int | None = None,
        video_timeout_s: float = 300.0,
        cores: int | None = None,
    ) -> None:
        self._header = settings.header({modality: encoder.spec for modality, encoder in encoders.items()})
        self._encoders = encoders
        shares = shares_for(encoders, device, workers, cores)
        with ExitStack() as stack:
            stack.enter_context(torch_threads(shares.threads_per_batch))
            task = stack.enter_context(fetching(reading_task(settings, encoders, device)))
            self._pool = stack.enter_context(
                ReaderPool(task, (), shares.workers, video_timeout_s, shares.cores, lasting=True)
            )
            self._encoding = stack.enter_context(
                Encoding(shares.encoding_threads, thread_preparer(device, shares), self._pool.core)
            )
            self._open = stack.pop_all()

    def __enter__(self) -> Extractor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that runs for it."""
        self._open.close()

    def extract(
        self,
        shard: Shard,
        folder: str | Path,
        root: str | Path = "",
        arrived: Callable[[Arrival], None] = lambda _: None,
    ) -> Path:
        """Write a shard, as `segfeat.pipeline.shard.extract_shard` does; ``arrived`` is told of every file read.

        After an error nothing more can be extracted.
        """
        path = Path(folder) / shard.name(self._header)
        if not path.exists():
            self._pool.submit(shard.sources)
            arrivals = iter(self._pool)
            count = len(shard.sources)
            write_shard(path, self._header, arrivals, count, self._encoders, self._encoding, str(root), arrived)
            for _ in arrivals:  # the last one leaves the queue
                raise RuntimeError(f"{path}: more files were read than the shard has")
        return path
