"""Countdown: how far a count of like jobs is, and how long the rest will take."""

from __future__ import annotations

import time


class Countdown:
    """Steps of a known number.

    Parameters
    ----------
    total : int
        Steps that will be taken, or at most so many.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._began_s = time.monotonic()

    def step(self, count: int = 1) -> str:
        """Take steps; the place among all, and the time to go at the pace so far: ``3/18, 4:12 to go``."""
        self.done += count
        return f"{self.done}/{self.total}" + (f", {rest}" if (rest := self.rest()) else "")

    def rest(self) -> str:
        """The time to go, in words; empty where it is not known yet or nothing is left."""
        if not 0 < self.done < self.total:
            return ""
        return f"{clock((time.monotonic() - self._began_s) / self.done * (self.total - self.done))} to go"


def clock(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
