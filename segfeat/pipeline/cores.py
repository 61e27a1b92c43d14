"""How many processes and threads keep all cores busy and none oversubscribed."""

from __future__ import annotations

import os
from pathlib import Path


def available_cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its control group where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def share_cores(cores: int, networks_on_cpu: bool, workers: int | None = None) -> tuple[int, int]:
    """Decode processes and encoder threads: (workers, threads), together no more than the cores, one each at least.

    Parameters
    ----------
    cores : int
    networks_on_cpu : bool
        Whether neural encoders run on these cores: they take as long as decoding and get half of them. Classical
        descriptors and a GPU's housekeeping take little beside decoding.
    workers : int, optional
        Given by the user.
    """
    if workers is None:
        workers = cores - cores // 2 if networks_on_cpu else cores
    return workers, max(1, cores - workers)
