"""Carrying out a plan: read, encode, write shards, merge them into the store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segfeat.interactions import Interactions
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.engine import machinery
from segfeat.pipeline.interrupt import Interrupt
from segfeat.pipeline.job import write_json
from segfeat.pipeline.messages import Failed
from segfeat.pipeline.plan import Plan
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.request import Prepared
from segfeat.pipeline.shard import write_shard
from segfeat.store.addition import add_stores
from segfeat.store.hdf5 import sync_folder
from segfeat.store.manifest import is_parted
from segfeat.store.merge import Part, merge_stores

_STATE_EVERY_S = 1.0


@dataclass
class ExtractionRun:
    """One extraction under way.

    Attributes
    ----------
    folder : Path
        Where finished shards are kept.
    known : Prepared
    progress : Progress
    report : callable
        Told of the progress after every file.
    """

    folder: Path
    known: Prepared
    progress: Progress
    report: Callable[[Progress], None]
    _written_s: float = 0.0

    def write_shards(self, plan: Plan) -> None:
        """Write every shard that is left to do.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, once the shard in work is written.
        OSError
            If a shard cannot be written; the message says where the finished ones are.
        ValueError
            If the library of the chosen decoder is not installed.
        """
        if not plan.todo:
            return
        request = self.known.request
        header, encoders, root = self.known.header, self.known.encoders, str(self.known.found.root)
        self._write_state()
        with (
            Interrupt(self._stopping) as interrupt,
            machinery(
                plan.sources,
                self.known.settings,
                encoders,
                request.device,
                request.workers,
                request.video_timeout_s,
            ) as (arrivals, encoding),
        ):
            for _, shard in plan.todo:
                if interrupt.asked:
                    raise KeyboardInterrupt
                path = self.folder / shard.name(header)
                try:
                    write_shard(path, header, arrivals, len(shard.sources), encoders, encoding, root, self._arrived)
                except OSError as error:
                    raise self._stopped(error) from error
                self._write_state()

    def merge(self, parts: list[Part], log: Interactions | None) -> None:
        """Put all parts together and in the place of the store, which stays as it was until then.

        A store in parts keeps the parts it has; the new ones come beside them.
        """
        merged = self.folder / "merged.h5"
        try:
            if is_parted(self.known.out):
                add_stores(
                    self.known.out,
                    [part for part in parts if part.path != self.known.out],
                    header=self.known.header,
                    root=str(self.known.found.root),
                    interactions=log,
                    superseded={path for part in parts if part.path == self.known.out for path in part.without},
                    anew=self.known.base is None,
                )
                return
            merge_stores(parts, merged, log, self.known.header, str(self.known.found.root))
            os.replace(merged, self.known.out)
            sync_folder(self.known.out.parent)
        except OSError as error:
            raise self._stopped(error) from error

    def _arrived(self, arrival: Arrival) -> None:
        if isinstance(arrival.end, Failed) and arrival.end.code == "decoder_missing":
            raise ValueError(arrival.end.message)  # as it would be for every file
        self.progress.count(arrival)
        self.report(self.progress)
        if time.monotonic() - self._written_s >= _STATE_EVERY_S:
            self._write_state()

    def _stopping(self) -> None:
        self.progress.stopping = True
        self.report(self.progress)

    def _write_state(self) -> None:
        self._written_s = time.monotonic()
        write_json(self.folder / "progress.json", self.progress.state())

    def _stopped(self, error: OSError) -> OSError:
        return OSError(f"{error}; finished shards are kept in {self.folder}, so the same command goes on from there")
