"""An extraction under way: how far it is, and merging its shards into the store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segfeat.interactions import Interactions
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.request import Prepared
from segfeat.store.addition import add_stores
from segfeat.store.hdf5 import sync_folder
from segfeat.store.manifest import is_parted
from segfeat.store.merge import Part, merge_stores
from segfeat.whole import write_json

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

    def note(self, done: Progress) -> None:
        """Count what has been done, and tell whoever watches."""
        self.progress.add(done)
        self.report(self.progress)
        if done.shards_done or time.monotonic() - self._written_s >= _STATE_EVERY_S:
            self.write_state()

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
            raise self.stopped(error) from error

    def write_state(self) -> None:
        """Say how far this is, for ``segfeat status``."""
        self._written_s = time.monotonic()
        write_json(self.folder / "progress.json", self.progress.state())

    def stopped(self, error: OSError) -> OSError:
        """The same error, with where the finished shards are."""
        return OSError(f"{error}; finished shards are kept in {self.folder}, so the same command goes on from there")
