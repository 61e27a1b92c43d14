"""Service: one thread that predicts, one that writes the journal, and runs that take each other's place."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from segmodel.serve.journal import Journal, WatchedView, open_journal
from segmodel.serve.scorer import LiveScorer

MAX_WAITING = 256
"""Requests that may wait for the two threads; more are turned away at once, since they would wait for seconds."""

_LOOK_EVERY_S = 2.0

log = logging.getLogger(__name__)

T = TypeVar("T")


class Busy(Exception):
    """Too many requests are waiting already."""


class Service:
    """Answers questions one after the other, and keeps what is reported.

    A scorer belongs to one thread and so needs no locks; a reported view waits for the disk in another thread, and
    nobody who asks waits for the disk.

    Parameters
    ----------
    open_scorer : callable
        Opens the run; asked again for every reload.
    journal : str or path
        As in :func:`segmodel.serve.journal.open_journal`.
    """

    def __init__(self, open_scorer: Callable[[], LiveScorer], journal: str | Path) -> None:
        self._open, self._place = open_scorer, journal
        self.scorer = open_scorer()
        self._journal = open_journal(journal, self.scorer.data.context)
        self._scoring = ThreadPoolExecutor(1, "scorer")
        self._writing = ThreadPoolExecutor(1, "journal")
        self._reloading = threading.Lock()
        self._closed = threading.Event()
        self._waiting = 0
        self.reloads = {"ok": 0, "failed": 0}
        self._scoring.submit(_use_one_core).result()

    def close(self) -> None:
        """Finish what is waiting, then let go of everything."""
        self._closed.set()
        self._scoring.shutdown()
        self._writing.shutdown()
        self._journal.close()
        self.scorer.close()

    async def ask(self, job: Callable[[LiveScorer], T]) -> T:
        """The result of ``job``, when its turn has come.

        Raises
        ------
        Busy
        """
        return await self._wait_for(self._scoring, lambda: job(self.scorer))

    async def append(self, view: WatchedView) -> bool:
        """Write a view to the journal; False where it is there already.

        Raises
        ------
        Busy
        BadQuestion
            If nobody can say how long the video is.
        OSError
            If it cannot be written.
        """
        self.scorer.check_known(view)
        return await self._wait_for(self._writing, lambda: self._journal.append(view))

    async def _wait_for(self, thread: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, job)
        finally:
            self._waiting -= 1

    def gauges(self) -> dict[str, float]:
        """The state of the service as Prometheus metrics."""
        return {
            "segmodel_waiting_requests": self._waiting,
            "segmodel_users": len(self.scorer.pasts),
            "segmodel_journal_last_view": self.scorer.pasts.seen,
            "segmodel_reloads_total": self.reloads["ok"],
            "segmodel_failed_reloads_total": self.reloads["failed"],
        }

    def reload(self) -> None:
        """Open the run anew beside the old one, then let it take over between two requests."""
        with self._reloading:
            try:
                fresh = self._open()
                journal = open_journal(self._place, fresh.data.context)
            except (ValueError, OSError) as error:
                self.reloads["failed"] += 1
                log.error("the run could not be reloaded, the old one stays: %s", error)
                return
            self._scoring.submit(self._replace, fresh).result()
            self._writing.submit(self._write_to, journal).result()
            self.reloads["ok"] += 1
            log.warning("run %s took over", fresh.run.name)

    def _replace(self, fresh: LiveScorer) -> None:
        old, self.scorer = self.scorer, fresh
        _use_one_core()
        old.close()

    def _write_to(self, journal: Journal) -> None:
        """The same journal, with the context columns of the run that took over."""
        old, self._journal = self._journal, journal
        old.close()

    def reload_soon(self) -> None:
        """Reload without keeping the caller waiting."""
        threading.Thread(target=self.reload, name="reload", daemon=True).start()

    def follow(self, link: Path) -> None:
        """Reload whenever ``link`` points to another run, until the service is closed."""
        threading.Thread(target=self._follow, args=(link,), name="follow", daemon=True).start()

    def _follow(self, link: Path) -> None:
        tried = None
        while not self._closed.wait(_LOOK_EVERY_S):
            now = link.resolve()
            if now == self.scorer.run.folder:
                tried = None
            elif now != tried:  # a run that cannot be opened is tried once
                tried = now
                self.reload()


def _use_one_core() -> None:
    """Networks of this size gain nothing from more; torch keeps the number per thread."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
