"""Shards that no worker could finish: split into single videos until the culprit stands alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segfeat.engines.base import Setup
from segfeat.failures import Failure
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard
from segfeat.store.writer import write_store

Attempt = Callable[[Sequence[Shard]], Mapping[str, str]]
"""Tries shards, each a bounded number of times; what is known about those that were not written, by their names."""


def run_to_the_end(
    shards: Sequence[Shard], setup: Setup, folder: Path, attempt: Attempt, report: Callable[[Progress], None]
) -> None:
    """Have all shards written: a video that kills its workers becomes a failure, and its siblings are written.

    What counts as written is what lies in the folder afterwards, not what a worker said.

    Raises
    ------
    RuntimeError
        If not one of several shards could be written: then it is not a video's fault.
    """
    reasons = attempt(shards)
    missing = [shard for shard in shards if not (folder / shard.name(setup.header)).exists()]
    if not missing:
        return
    if len(missing) == len(shards) > 1:
        why = next(iter(reasons.values()), "workers died without a word")
        raise RuntimeError(f"none of {len(shards):,} shards could be written: {why}")
    singles = [Shard((source,)) for shard in missing for source in shard.sources]
    reasons = attempt([shard for shard in singles if not (folder / shard.name(setup.header)).exists()])
    for shard in singles:
        name = shard.name(setup.header)
        if not (folder / name).exists():
            _write_failure(folder / name, shard, setup, reasons.get(name, "the process that read it died"))
            (source,) = shard.sources
            report(Progress(videos_done=1, failures=Counter(["crashed"]), _bytes_done=source.size_bytes))


def _write_failure(path: Path, shard: Shard, setup: Setup, why: str) -> None:
    (source,) = shard.sources
    message = f"{source.path}: {why}, also when it was tried alone"
    failure = Failure(source.path, "crashed", message, source.size_bytes, source.mtime_ns)
    write_store(path, setup.header, [], [failure], root=setup.root)
