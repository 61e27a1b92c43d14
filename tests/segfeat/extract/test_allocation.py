"""Memory that threads free is there for their next item, and goes back to the system in the end."""

from __future__ import annotations

import subprocess
import sys
from ctypes.util import find_library

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc is glibc's on Linux alone")

PROGRAM = """
import ctypes, resource, sys, threading
from contextlib import nullcontext
from pathlib import Path
from segfeat.pipeline.allocation import _glibc, kept_memory

if _glibc() is None:
    print("no glibc")
    sys.exit()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def item():
    blocks = [libc.malloc(size * 2**20) for size in (31, 31, 15, 8)]
    for block, size in zip(blocks, (31, 31, 15, 8)):
        libc.memset(block, 1, size * 2**20)
    for block in blocks:
        libc.free(block)

def work():
    item()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        item()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

faults, start_mb = [], resident_mb()
with kept_memory() if sys.argv[1] == "kept" else nullcontext():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    within_mb = resident_mb() - start_mb
print(faults[0], within_mb, resident_mb() - start_mb)
"""


def measured(how: str) -> tuple[float, float, float]:
    """Page faults of ten items after the first, and the memory in MB that was kept within and after."""
    said = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True).stdout
    if said.startswith("no glibc"):
        pytest.skip(f"this C library has no such settings ({find_library('c')})")
    faults, within_mb, after_mb = map(float, said.split())
    return faults, within_mb, after_mb


def test_the_next_item_costs_no_page_faults() -> None:
    usual, _, _ = measured("usual")
    kept, within_mb, _ = measured("kept")
    assert usual > 10_000
    assert kept < usual / 20
    assert within_mb > 60


def test_kept_memory_goes_back_in_the_end() -> None:
    _, within_mb, after_mb = measured("kept")
    assert after_mb < within_mb / 4
