"""Shards that no worker could finish: split into single videos until the culprit stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from segfeat.engines.base import Setup
from segfeat.failures import Failure
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard
from segfeat.store.writer import write_store

Attempt = Callable[[Sequence[Shard]], Mapping[str, str]]
"""Tries shards, each a bounded number of times; what is known about those that were not written, by their names."""

PROBES = 8
"""Most videos that are tried alone where no shard was written, before the workers are blamed and not the videos."""


def run_to_the_end(
    shards: Sequence[Shard], setup: Setup, folder: Path, attempt: Attempt, report: Callable[[Progress], None]
) -> None:
    """Have all shards written: a video that kills its workers becomes a failure, and its siblings are written.

    What counts as written is what lies in the folder afterwards, not what a worker said.

    Raises
    ------
    RuntimeError
        If not one of several shards could be written, nor one of their first videos alone: then it is no video's fault.
    """

    def unwritten(some: Sequence[Shard]) -> list[Shard]:
        return [shard for shard in some if not (folder / shard.name(setup.header)).exists()]

    reasons = dict(attempt(shards))
    missing = unwritten(shards)
    # One of each shard, then the next of each: the first few are of as many shards as can be.
    in_turn = chain.from_iterable(zip_longest(*(shard.sources for shard in missing)))
    singles = [Shard((source,)) for source in in_turn if source is not None]
    tried = 0
    if len(missing) == len(shards) > 1:
        tried = min(PROBES, len(singles))
        reasons |= attempt(singles[:tried])
        if len(unwritten(singles[:tried])) == tried:
            why = next(iter(reasons.values()), "workers died without a word")
            raise RuntimeError(f"none of {len(shards):,} shards could be written: {why}")
    if untried := unwritten(singles[tried:]):
        reasons |= attempt(untried)
    for shard in unwritten(singles):
        name = shard.name(setup.header)
        _write_failure(folder / name, shard, setup, reasons.get(name, "the process that read it died"))
        (source,) = shard.sources
        report(Progress(videos_done=1, failures=Counter(["crashed"]), _bytes_done=source.size_bytes))


def _write_failure(path: Path, shard: Shard, setup: Setup, why: str) -> None:
    (source,) = shard.sources
    message = f"{source.path}: {why}, also when it was tried alone"
    failure = Failure(source.path, "crashed", message, source.size_bytes, source.mtime_ns)
    write_store(path, setup.header, [], [failure], root=setup.root)
