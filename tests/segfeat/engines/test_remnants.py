"""Shards that nobody can finish: halved to single videos, bounded, and never a blame that is not a video's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from segfeat.engines.base import Setup
from segfeat.engines.remnants import run_to_the_end
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.shard import Shard
from segfeat.pipeline.sources import Source
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store

SETUP = Setup(Settings(thumbnails=False), {}, "/films")


@dataclass
class Attempts:
    """Writes empty shards but for those with a file that is told to be poison; remembers what it was asked."""

    folder: Path
    poison: set[str]
    last_words: str = ""
    asked: list[list[list[str]]] = field(default_factory=list)

    def __call__(self, shards: Sequence[Shard]) -> Mapping[str, str]:
        self.asked.append([[s.path for s in shard.sources] for shard in shards])
        reasons = {}
        for shard in shards:
            if self.poison & {s.path for s in shard.sources}:
                reasons |= {shard.name(SETUP.header): self.last_words} if self.last_words else {}
            else:
                write_store(self.folder / shard.name(SETUP.header), SETUP.header, [])
        return reasons


def shards(source: Callable[[str], Source], *groups: str) -> list[Shard]:
    return [Shard(tuple(source(name) for name in group)) for group in groups]


def failures(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.glob("shard-*.h5"):
        with FeatureStore(path) as store:
            found |= {f.path: f"{f.code}: {f.message}" for f in store.failures}
            assert all((f.size_bytes, f.mtime_ns) == (1, 1) for f in store.failures)
    return found


def test_the_culprit_is_crashed_and_its_siblings_are_written(tmp_path: Path, source: Callable[[str], Source]) -> None:
    attempt, told = Attempts(tmp_path, {"d"}), Progress()
    run_to_the_end(shards(source, "ab", "cde", "f"), SETUP, tmp_path, attempt, told.add)
    assert attempt.asked == [[["a", "b"], ["c", "d", "e"], ["f"]], [["c"], ["d"], ["e"]]]
    assert failures(tmp_path) == {"d": "crashed: d: the process that read it died, also when it was tried alone"}
    assert len(list(tmp_path.glob("shard-*.h5"))) == 5
    assert (told.videos_done, dict(told.failures)) == (1, {"crashed": 1})


def test_what_a_worker_could_still_say_stands_in_the_failure(tmp_path: Path, source: Callable[[str], Source]) -> None:
    run_to_the_end(shards(source, "a", "b"), SETUP, tmp_path, Attempts(tmp_path, {"b"}, "RuntimeError: no"), print)
    assert failures(tmp_path) == {"b": "crashed: b: RuntimeError: no, also when it was tried alone"}


def test_where_nothing_can_be_written_no_video_is_blamed(tmp_path: Path, source: Callable[[str], Source]) -> None:
    with pytest.raises(RuntimeError, match="none of 2 shards could be written: RuntimeError: no"):
        run_to_the_end(
            shards(source, "a", "b"), SETUP, tmp_path, Attempts(tmp_path, {"a", "b"}, "RuntimeError: no"), print
        )
    assert failures(tmp_path) == {}


def test_where_every_shard_has_its_culprit_each_is_found(tmp_path: Path, source: Callable[[str], Source]) -> None:
    attempt, told = Attempts(tmp_path, {"b", "c", "o"}), Progress()
    run_to_the_end(shards(source, "abefg", "cdhij", "klmno"), SETUP, tmp_path, attempt, told.add)
    assert attempt.asked[1:] == [[[name] for name in "ackbdleh"], [[name] for name in "mfingjo"]]
    assert sorted(failures(tmp_path)) == ["b", "c", "o"]
    assert len(list(tmp_path.glob("shard-*.h5"))) == 15
    assert (told.videos_done, dict(told.failures)) == (3, {"crashed": 3})


def test_workers_that_die_of_everything_are_found_out_by_few(tmp_path: Path, source: Callable[[str], Source]) -> None:
    attempt = Attempts(tmp_path, set("abcdefghijkl"))
    with pytest.raises(RuntimeError, match="none of 3 shards could be written: workers died without a word"):
        run_to_the_end(shards(source, "abcd", "efgh", "ijkl"), SETUP, tmp_path, attempt, print)
    assert attempt.asked[1:] == [[[name] for name in "aeibfjcg"]]
    assert failures(tmp_path) == {}


def test_nothing_is_tried_twice_that_is_there(tmp_path: Path, source: Callable[[str], Source]) -> None:
    attempt = Attempts(tmp_path, {"b"})
    (single,) = shards(source, "a")
    write_store(tmp_path / single.name(SETUP.header), SETUP.header, [])
    run_to_the_end(shards(source, "ab", "c"), SETUP, tmp_path, attempt, print)
    assert attempt.asked[1] == [["b"]]
