"""Memory that networks free and take again with every item stays in the process while they run."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""More is refused. The largest array of wav2vec 2.0 on 5 s of sound is just below."""

_KEPT = 512 * 2**20
"""Free memory beyond this goes back to the system all the same."""

_USUAL = 128 * 2**10
"""Both thresholds as glibc has them at first."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next item; where malloc is not glibc's, nothing changes.

    A sound of 5 s goes through arrays of 8 to 32 MB. Given back to the system after each layer, they come back as
    pages that the kernel fills with zeros one by one: some 15,000 page faults an item, a twentieth of its CPU time.
    Threads share one arena, since the arenas of their own are given back whole however large the threshold.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_ARENA_MAX, 1)
    libc.mallopt(_TRIM_THRESHOLD, _KEPT)
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    try:
        yield
    finally:
        libc.mallopt(_ARENA_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, _USUAL)
        libc.mallopt(_MMAP_THRESHOLD, _USUAL)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    known = all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
    return libc if known else None
