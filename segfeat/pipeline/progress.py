"""How far an extraction is."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.messages import Closed, Failed
from segfeat.pipeline.sources import Source

_COUNTED = ("videos_done", "videos_partial", "segments_done", "decoding_s", "shards_done", "_bytes_done")


@dataclass
class Progress:
    """Counts of this run; what earlier runs had finished is in ``videos_before`` alone.

    Attributes
    ----------
    videos_total, videos_done, videos_before : int
        Files to read in this run, files read (failed ones included), files that needed no reading.
    videos_partial, segments_done : int
    decoding_s : float
        Processor seconds that decode processes spent on files that are videos.
    failures : Counter
        Failed files of this run by code.
    stopping : bool
        Whether an interruption was asked for and work in flight is being finished.
    shards_total, shards_done : int
        Pieces of work of an engine that spreads them over machines.
    actors : int
        Its workers that have finished any; 0 on a single machine.
    """

    videos_total: int = 0
    videos_before: int = 0
    videos_done: int = 0
    videos_partial: int = 0
    segments_done: int = 0
    decoding_s: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    shards_total: int = 0
    shards_done: int = 0
    actors: int = 0
    _bytes_total: int = 0
    _bytes_done: int = 0
    _started_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, sources: Sequence[Source], videos_before: int) -> Progress:
        """At the start, with these files to read."""
        return cls(len(sources), videos_before, _bytes_total=sum(s.size_bytes for s in sources))

    def count(self, arrival: Arrival) -> None:
        """Count a file that has been read to its end."""
        self.videos_done += 1
        self._bytes_done += arrival.source.size_bytes
        if isinstance(arrival.end, Failed):
            self.failures[arrival.end.code] += 1
        elif isinstance(arrival.end, Closed) and arrival.opened is not None:
            self.segments_done += len(arrival.opened.spans_s)
            self.decoding_s += arrival.end.cpu_s
            self.videos_partial += bool(arrival.end.problems)

    def add(self, other: Progress) -> None:
        """Count what somebody else has counted."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures.update(other.failures)
        self.actors = max(self.actors, other.actors)
        self.stopping = self.stopping or other.stopping

    def counts(self) -> dict[str, Any]:
        """What has been done, as JSON; `from_counts` reads it."""
        return {**{name: getattr(self, name) for name in _COUNTED}, "failures": dict(self.failures)}

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> Progress:
        """What another process has done."""
        return cls(failures=Counter(counts["failures"]), **{name: counts[name] for name in _COUNTED})

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_s

    @property
    def videos_per_s(self) -> float:
        """Files a second so far."""
        return self.videos_done / max(self.elapsed_s, 1e-9)

    @property
    def segments_per_s(self) -> float:
        """Segments a second so far."""
        return self.segments_done / max(self.elapsed_s, 1e-9)

    @property
    def remaining_s(self) -> float | None:
        """Seconds to go, by bytes of files rather than by files; None before anything is known."""
        if not self._bytes_done:
            return None
        return self.elapsed_s * (self._bytes_total - self._bytes_done) / self._bytes_done

    def state(self) -> dict[str, Any]:
        """For ``segfeat status``, as JSON."""
        return {
            "pid": os.getpid(),
            "updated": time.time(),
            "videos_total": self.videos_total,
            "videos_before": self.videos_before,
            "videos_done": self.videos_done,
            "segments_done": self.segments_done,
            "failures": dict(self.failures),
            "elapsed_s": round(self.elapsed_s, 1),
            "remaining_s": None if self.remaining_s is None else round(self.remaining_s, 1),
        }
