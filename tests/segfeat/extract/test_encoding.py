"""Encoding in threads: right rows, bounded, errors come out, and cores are shared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.pipeline.cores import Shares, share_cores
from segfeat.pipeline.encoding import BatchFiller, Encoding
from segfeat.pipeline.pool import ReaderPool
from segfeat.pipeline.sources import Source
from segfeat.types import EncoderSpec, Float32
from tests.segfeat.extract import tasks


class Slow:
    """An encoder that takes its time, gives each item back, and counts how many batches are computed at once."""

    frame_size = sample_rate = preparer = None

    def __init__(self, spec: EncoderSpec, batch_size: int = 1, wait_s: float = 0.02) -> None:
        self.spec, self.batch_size, self._wait_s = spec, batch_size, wait_s
        self._lock = threading.Lock()
        self._now = self.most = 0

    def encode(self, items: Sequence[Any]) -> Float32:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self._wait_s)
        with self._lock:
            self._now -= 1
        if -1 in items:
            raise ArithmeticError("a bad batch")
        return np.array(items, np.float32).reshape(-1, 1)


@pytest.mark.parametrize(("modality", "threads", "most"), [("visual", 3, 3), ("visual", 1, 1), ("text", 3, 1)])
def test_every_vector_finds_its_row(
    make_spec: Callable[..., EncoderSpec], modality: str, threads: int, most: int
) -> None:
    encoder, features = Slow(make_spec(modality, 1), 4), np.zeros((50, 1), np.float32)
    with Encoding(threads) as encoding:
        batches = BatchFiller(encoder, encoding)  # type: ignore[arg-type]
        for row in range(50):
            batches.add(float(row), features, row)
        batches.flush()
        encoding.finish()
    assert features[:, 0].tolist() == list(range(50))
    assert encoder.most == most


def test_one_batch_waits_and_no_more(make_spec: Callable[..., EncoderSpec]) -> None:
    go_on = threading.Event()

    class Held(Slow):
        def encode(self, items: Sequence[Any]) -> Float32:
            assert go_on.wait(60)
            return super().encode(items)

    encoder, features = Held(make_spec("visual", 1)), np.zeros((4, 1), np.float32)
    with Encoding(1) as encoding:
        for row in range(2):
            encoding.submit(encoder, [1.0], [(features, row)])  # type: ignore[arg-type]
        third = threading.Thread(target=encoding.submit, args=(encoder, [1.0], [(features, 2)]))
        third.start()
        third.join(0.2)
        assert third.is_alive()  # there is no room for it
        go_on.set()
        third.join()
        encoding.finish()
    assert features[:, 0].tolist() == [1, 1, 1, 0]


def test_what_goes_wrong_in_a_thread_comes_out(make_spec: Callable[..., EncoderSpec]) -> None:
    encoder, features = Slow(make_spec("visual", 1)), np.zeros((9, 1), np.float32)
    with Encoding(2) as encoding:
        encoding.submit(encoder, [-1], [(features, 0)])  # type: ignore[arg-type]
        time.sleep(0.2)
        with pytest.raises(ArithmeticError, match="a bad batch"):
            encoding.submit(encoder, [1.0], [(features, 1)])  # type: ignore[arg-type]
    with Encoding(2) as encoding:
        encoding.submit(encoder, [-1], [(features, 0)])  # type: ignore[arg-type]
        with pytest.raises(ArithmeticError, match="a bad batch"):
            encoding.finish()


def test_threads_are_prepared_and_take_cores(make_spec: Callable[..., EncoderSpec]) -> None:
    encoder, features = Slow(make_spec("visual", 1)), np.zeros((6, 1), np.float32)
    prepared, taken = list[str](), list[int]()

    @contextmanager
    def core() -> Iterator[None]:
        taken.append(1)
        yield
        taken.append(-1)

    with Encoding(2, lambda: prepared.append(threading.current_thread().name), core) as encoding:
        for row in range(6):
            encoding.submit(encoder, [1.0], [(features, row)])  # type: ignore[arg-type]
        encoding.finish()
    assert len(prepared) == len(set(prepared)) == 2
    assert (sum(taken), len(taken)) == (0, 12)


# -- cores -------------------------------------------------------------------------------------------------------------


def state(pid: int) -> str:
    """R running, S sleeping, T standing still, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def standing(pool: ReaderPool) -> list[bool]:
    """Which workers stand still, by the order of their files."""
    time.sleep(0.1)  # signals take their time
    workers = {id(w.arrival): w for w in pool._workers if w.arrival is not None}
    return [state(workers[id(arrival)].process.pid) == "T" for arrival in pool._order if id(arrival) in workers]


def wait_until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_workers_stand_still_while_their_cores_are_taken(source: Callable[[str], Source]) -> None:
    names = ["hang a", "hang b", "hang c"]
    with ReaderPool(tasks.tell, [source(name) for name in names], 3, timeout_s=60.0, cores=3) as pool:
        wait_until(lambda: sum(w.arrival is not None for w in pool._workers) == 3)
        assert standing(pool) == [False, False, False]
        with pool.core():
            assert standing(pool) == [False, False, True]  # the earliest file goes on
            with pool.core(), pool.core():
                assert standing(pool) == [True, True, True]
        assert standing(pool) == [False, False, False]


def test_cores_may_be_taken_at_any_moment(source: Callable[[str], Source]) -> None:
    """Threads that take and give back cores all the time, while many small files come and go."""
    errors: list[BaseException] = []

    with ReaderPool(tasks.tell, [source(f"x{i}") for i in range(300)], 3, timeout_s=60.0, cores=3) as pool:
        done = threading.Event()

        def restless() -> None:
            try:
                while not done.is_set():
                    with pool.core():
                        time.sleep(0.0005)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=restless) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert [len(list(arrival)) for arrival in pool] == [3] * 300
        done.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_standing_still_is_no_hang(source: Callable[[str], Source]) -> None:
    with ReaderPool(tasks.tell, [source("slow"), source("1-slow")], 1, timeout_s=1.0, cores=1) as pool:
        wait_until(lambda: any(w.arrival is not None for w in pool._workers))
        with pool.core():
            time.sleep(2.5)
        assert [len(list(arrival)) for arrival in pool] == [3, 3]


def test_hanging_is_noticed_though_it_stands_still_now_and_then(source: Callable[[str], Source]) -> None:
    with ReaderPool(tasks.tell, [source("hang")], 1, timeout_s=1.0, cores=1) as pool:
        wait_until(lambda: any(w.arrival is not None for w in pool._workers))
        [arrival] = pool._order
        end_s = time.monotonic() + 120
        while arrival.end is None and time.monotonic() < end_s:
            with pool.core():
                time.sleep(0.2)
            time.sleep(0.1)
        assert arrival.end is not None


@pytest.mark.parametrize(
    ("arguments", "shares"),
    [
        ((2, True, False), Shares(2, 2, 1, 2)),
        ((1, True, False), Shares(1, 1, 1, 1)),
        ((16, True, False), Shares(16, 8, 2, 16)),
        ((2, False, False), Shares(2, 1, 1, 2)),
        ((16, True, True), Shares(16, 2, 1, None)),
        ((2, True, False, 5), Shares(5, 2, 1, 5)),
        ((4, True, False, 1), Shares(1, 4, 1, 4)),
    ],
)
def test_shares_of_the_cores(arguments: tuple[Any, ...], shares: Shares) -> None:
    assert share_cores(*arguments) == shares
