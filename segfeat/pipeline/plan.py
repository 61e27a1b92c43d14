"""What is new, what is finished already, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segfeat.pipeline.shard import Shard, cut
from segfeat.pipeline.sources import Source
from segfeat.store.merge import Part
from segfeat.store.reader import FeatureStore
from segfeat.types import StoreHeader

Identity = tuple[int, int]
"""Size in bytes and mtime in ns: a file with another identity is another file."""


@dataclass(frozen=True)
class Finished:
    """Files that a store has dealt with.

    Attributes
    ----------
    videos : dict of path to identity, title and id
    failures : dict of path to identity and whether other files had the same id
    """

    videos: dict[str, tuple[Identity, str, str]]
    failures: dict[str, tuple[Identity, bool]]

    @classmethod
    def of(cls, store: FeatureStore) -> Finished:
        """What a store knows."""
        stats = map(tuple, store.source_stat.tolist())
        rows = zip(store.paths, stats, store.titles, store.video_ids, strict=True)
        return cls(
            {path: (identity, title, video_id) for path, identity, title, video_id in rows if path},
            {f.path: ((f.size_bytes, f.mtime_ns), f.code == "id_clash") for f in store.failures},
        )

    def has(self, source: Source, titles_given: bool, retry_failed: bool = False) -> bool:
        """Whether this file, as it is now, has been dealt with; one that is gone keeps what is known of it."""
        identity = (source.size_bytes, source.mtime_ns)
        if source.path in self.videos:
            if not source.there:
                return True
            known, title, video_id = self.videos[source.path]
            return (known, video_id) == (identity, source.video_id) and (title == source.title or not titles_given)
        return not retry_failed and self.failures.get(source.path) == (identity, bool(source.clash))

    @property
    def paths(self) -> set[str]:
        """All files, whatever became of them."""
        return {*self.videos, *self.failures}


@dataclass(frozen=True)
class Plan:
    """Shards to write, and finished parts with the place of their first source in the sorted list."""

    todo: tuple[tuple[int, Shard], ...]
    done: tuple[tuple[int, Part], ...]

    @property
    def sources(self) -> list[Source]:
        """What is left to read."""
        return [source for _, shard in self.todo for source in shard.sources]

    def parts(self, header: StoreHeader, folder: Path) -> list[Part]:
        """All parts in the order of the sorted list, those to be written included."""
        written = [(at, Part(folder / shard.name(header))) for at, shard in self.todo]
        return [part for _, part in sorted([*self.done, *written], key=lambda pair: pair[0])]


def make_plan(new: Sequence[Source], header: StoreHeader, folder: Path, titles_given: bool) -> Plan:
    """Cut the sorted new sources into shards and find those that are finished.

    A finished shard is found by its name. Where the list of files has changed since, the names have too: then the
    videos of old shards are used one by one, if their files are still the same.
    """
    place = {source.path: i for i, source in enumerate(new)}
    done: list[tuple[int, Part]] = []
    open_shards: list[Shard] = []
    used: set[str] = set()
    for shard in cut(new):
        name = shard.name(header)
        if (folder / name).exists():
            done.append((place[shard.sources[0].path], Part(folder / name)))
            used.add(name)
        else:
            open_shards.append(shard)
    waiting = {source.path: source for shard in open_shards for source in shard.sources}
    for path in sorted(folder.glob("shard-*.h5")):
        if path.name in used:
            continue
        finished = _finished(path, header)
        # Only the files of this shard are looked at: there may be as many shards as there are files.
        known = [waiting[p] for p in finished.paths if p in waiting]
        found = {source.path for source in known if finished.has(source, titles_given)}
        if found:
            done.append((min(place[p] for p in found), Part(path, frozenset(finished.paths - found))))
            for p in found:
                del waiting[p]
    todo = []
    for shard in open_shards:
        left = tuple(s for s in shard.sources if s.path in waiting)
        if left:
            todo.append((place[left[0].path], Shard(left)))
    return Plan(tuple(todo), tuple(done))


def _finished(shard: Path, header: StoreHeader) -> Finished:
    """What a shard has dealt with; nothing if it was made with other settings."""
    with FeatureStore(shard) as store:
        return Finished({}, {}) if header.differences(store.header) else Finished.of(store)
