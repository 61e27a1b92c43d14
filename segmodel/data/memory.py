"""How much memory there is, and a clear word before it runs out."""

from __future__ import annotations

from pathlib import Path

VIEW_BYTES = 1500
"""What a training in memory takes per view of its log, at its peak."""


def free_bytes() -> int | None:
    """Memory that this process may still take, by the system and by its control group; None where nobody says."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # another system, or a group without a limit
    return min(found) if found else None


def check_fits(views: int, what: str) -> None:
    """Refuse to take a log into memory that does not fit.

    Raises
    ------
    ValueError
        With what is needed and what is free.
    """
    needed, free = views * VIEW_BYTES, free_bytes()
    if free is not None and needed > free:
        raise ValueError(
            f"{what} needs {views:,} views in memory, about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free"
        )
