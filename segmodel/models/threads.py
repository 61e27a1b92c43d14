"""How many threads computation takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController, threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Small matrices lose more to waiting for each other's threads than they gain, above all on a busy machine."""
    with _libraries().limit(limits=1):
        yield


def take_threads(count: int) -> None:
    """Compute with ``count`` threads in this process from now on: networks, trees and products of arrays."""
    import sklearn.ensemble  # noqa: F401  Loads the threads of trees, so that they are limited, too.
    import torch

    torch.set_num_threads(count)
    threadpool_limits(count)


@cache
def _libraries() -> ThreadpoolController:
    """Those that this process has loaded, found once."""
    return ThreadpoolController().select(user_api="blas")
