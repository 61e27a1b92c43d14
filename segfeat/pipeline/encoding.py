"""Encoding batches in threads of their own, while the next ones are being filled."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from segfeat.types import Float32

if TYPE_CHECKING:
    from segfeat.encoders import Encoder

Target = tuple[Float32, int]
"""Where a vector goes: a row of an array."""


class Encoding:
    """Threads that encode batches; a context manager.

    Parameters
    ----------
    threads : int
        Batches at once; one more may wait.
    prepare : callable
        Run once in every thread.
    core : callable
        Gives a context in which a thread computes: it says that a core is taken.
    """

    def __init__(
        self,
        threads: int = 1,
        prepare: Callable[[], None] = lambda: None,
        core: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._threads = ThreadPoolExecutor(threads, "segfeat-encoding", prepare)
        self._room = threading.Semaphore(threads + 1)
        self._core = core
        self._started: list[Future[None]] = []
        self._tokenizing = threading.Lock()

    def __enter__(self) -> Encoding:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, encoder: Encoder, items: Sequence[Any], targets: Sequence[Target]) -> None:
        """Encode ``items`` into ``targets``, soon; waits until there is room.

        Raises
        ------
        Exception
            What went wrong with an earlier batch.
        """
        self._room.acquire()
        done = [future for future in self._started if future.done()]
        self._started = [future for future in self._started if future not in done]
        for future in done:
            future.result()
        self._started.append(self._threads.submit(self._encode, encoder, items, targets))

    def finish(self) -> None:
        """Wait until all batches are encoded; raises what went wrong with any."""
        started, self._started = self._started, []
        for future in started:
            future.result()

    def _encode(self, encoder: Encoder, items: Sequence[Any], targets: Sequence[Target]) -> None:
        try:
            # Tokenizers refuse to be used by two threads at once.
            alone: AbstractContextManager[Any] = self._tokenizing if encoder.spec.modality == "text" else nullcontext()
            with alone, self._core():
                vectors = encoder.encode(items)
            expected = (len(items), encoder.spec.dim)
            if np.shape(vectors) != expected:
                raise RuntimeError(f"{encoder.spec.name} gave {np.shape(vectors)} features, expected {expected}")
            for vector, (features, row) in zip(vectors, targets, strict=True):
                features[row] = vector
        finally:
            self._room.release()


class BatchFiller:
    """Collects items for one encoder until they fill a batch.

    Items enter in the order of videos and segments, so that the same shard gives the same batches in every run. An item
    that is, bit for bit, one that came before is not encoded again: digital silence, a picture that stands, a title.
    """

    def __init__(self, encoder: Encoder, encoding: Encoding) -> None:
        self._encoder, self._encoding = encoder, encoding
        self._items: list[Any] = []
        self._targets: list[Target] = []
        self._first: dict[bytes, Target] = {}
        self._repeated: list[tuple[Target, Target]] = []

    @property
    def spared(self) -> int:
        """How many items were not encoded."""
        return len(self._repeated)

    def add(self, item: Any, features: Float32, row: int) -> None:
        """Encode ``item``, sooner or later, into ``features[row]``."""
        if (key := content(item)) is not None:
            if key in self._first:
                self._repeated.append((self._first[key], (features, row)))
                return
            self._first[key] = features, row
        self._items.append(item)
        self._targets.append((features, row))
        if len(self._items) >= self._encoder.batch_size:
            self.flush()

    def flush(self) -> None:
        """Hand over what has come together, however little it is."""
        if self._items:
            self._encoding.submit(self._encoder, self._items, self._targets)
            self._items, self._targets = [], []

    def repeat(self) -> None:
        """Give repeated items the vectors of the first ones, when all batches are encoded."""
        for (vectors, which), (features, row) in self._repeated:
            features[row] = vectors[which]


def content(item: Any) -> bytes | None:
    """What decides an item's vector, in short; None for items of which that is not known."""
    if isinstance(item, str):
        return hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if isinstance(item, np.ndarray | np.generic) and not item.dtype.hasobject:
        shape = f"{item.dtype.str} {item.shape} ".encode()
        return hashlib.blake2b(shape + item.tobytes(), digest_size=16).digest()
    return None
