"""This machine: decode processes and encoding threads that run through all shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from segfeat.engines.base import Setup
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.extractor import Extractor
from segfeat.pipeline.interrupt import Interrupt
from segfeat.pipeline.messages import Failed
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard


@dataclass(frozen=True)
class Local:
    """The default engine; files of the next shard are read while one is still being encoded."""

    elsewhere: ClassVar[bool] = False

    def run(self, shards: Sequence[Shard], setup: Setup, folder: Path, report: Callable[[Progress], None]) -> None:
        """See `segfeat.engines.base.Engine`; reports every file."""
        encoders = setup.loaded or {}

        def arrived(arrival: Arrival) -> None:
            report(count(arrival))

        with (
            Interrupt(lambda: report(Progress(stopping=True))) as interrupt,
            Extractor(setup.settings, encoders, setup.device, setup.workers, setup.video_timeout_s) as extractor,
        ):
            extractor.begin(shards)
            for shard in shards:
                if interrupt.asked:
                    raise KeyboardInterrupt
                extractor.finish(shard, folder, setup.root, arrived)
                report(Progress(shards_done=1))


def count(arrival: Arrival) -> Progress:
    """One file, counted.

    Raises
    ------
    ValueError
        If the library of the chosen decoder is not installed.
    """
    if isinstance(arrival.end, Failed) and arrival.end.code == "decoder_missing":
        raise ValueError(arrival.end.message)  # as it would be for every file
    counted = Progress()
    counted.count(arrival)
    return counted
