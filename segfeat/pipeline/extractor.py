"""Shards one after another by the same decode processes and encoders, on one machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from segfeat.pipeline.allocation import kept_memory
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
        self._arrivals: Iterator[Arrival] | None = None
        self._left = 0
        shares = shares_for(encoders, device, workers, cores)
        with ExitStack() as stack:
            stack.enter_context(kept_memory())
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
        """One shard from beginning to end.

        Its name and content follow from what decides the features and from the sources alone; it appears complete or
        not at all, and one that is there already is left as it is. Safe to be done twice, on two machines at once too.

        Parameters
        ----------
        shard : Shard
            Which files; see `segfeat.pipeline.sources.scan`.
        folder : path
            Where the shard is written; it exists.
        root : path
            The folder that the paths of the sources are relative to; kept in the shard.
        arrived : callable
            Told of every file that has been read to its end.

        Returns
        -------
        Path
            The shard's file. After an error nothing more can be extracted.
        """
        path = Path(folder) / shard.name(self._header)
        if not path.exists():
            self.begin([shard])
            self.finish(shard, folder, root, arrived)
        return path

    def begin(self, shards: Sequence[Shard]) -> None:
        """Have the files of several shards read ahead; `finish` takes one shard after another, in this order."""
        for shard in shards:
            self._left += len(shard.sources)
            self._pool.submit(shard.sources)

    def finish(
        self,
        shard: Shard,
        folder: str | Path,
        root: str | Path = "",
        arrived: Callable[[Arrival], None] = lambda _: None,
    ) -> None:
        """Write the next of the shards that were begun; files of those after it are read meanwhile."""
        path = Path(folder) / shard.name(self._header)
        if self._arrivals is None:
            self._arrivals = iter(self._pool)
        count = len(shard.sources)
        write_shard(path, self._header, self._arrivals, count, self._encoders, self._encoding, str(root), arrived)
        self._left -= count
        if not self._left:
            for _ in self._arrivals:  # the last one leaves the queue
                raise RuntimeError(f"{path}: more files were read than the shard has")
            self._arrivals = None
