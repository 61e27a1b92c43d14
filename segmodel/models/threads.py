"""How many threads products of arrays take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Small matrices lose more to waiting for each other's threads than they gain, above all on a busy machine."""
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Those that this process has loaded, found once."""
    return ThreadpoolController().select(user_api="blas")
