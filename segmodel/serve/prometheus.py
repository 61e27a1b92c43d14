"""Counts and times of requests in Prometheus' text format."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What requests were answered how, and how long that took.

    Parameters
    ----------
    worker : int, optional
        Number of the process, where several answer: it stands on every sample, so that series of different processes
        are not taken for one that jumps.
    """

    def __init__(self, worker: int | None = None) -> None:
        self._worker = {} if worker is None else {"worker": worker}
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sum_s: Counter[str] = Counter()

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests[route, status] += 1
        self._buckets.setdefault(route, [0] * (len(BUCKETS_S) + 1))[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s[route] += seconds  # type: ignore[assignment]  # a Counter adds floats as well

    def render(self, gauges: Mapping[str, float], info: Mapping[str, str]) -> str:
        """The text that Prometheus scrapes.

        Parameters
        ----------
        gauges : mapping of full metric name to value
        info : mapping of label to value
            Of the run that answers.
        """
        name = "segmodel_requests_total"
        lines = [f"# HELP {name} Answered requests.", f"# TYPE {name} counter"]
        for (route, status), n in sorted(self._requests.items()):
            lines.append(self._sample(name, n, route=route, status=status))
        name = "segmodel_request_seconds"
        lines += [f"# HELP {name} Time from the request's first byte to the answer's last.", f"# TYPE {name} histogram"]
        for route, counts in sorted(self._buckets.items()):
            bounds = [*map(str, BUCKETS_S), "+Inf"]
            for bound, n in zip(bounds, accumulate(counts), strict=True):
                lines.append(self._sample(f"{name}_bucket", n, route=route, le=bound))
            lines.append(self._sample(f"{name}_sum", f"{self._sum_s[route]:.6f}", route=route))
            lines.append(self._sample(f"{name}_count", sum(counts), route=route))
        for name, value in gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# TYPE {name} {kind}", self._sample(name, f"{value:g}")]
        lines += ["# TYPE segmodel_run_info gauge", self._sample("segmodel_run_info", 1, **info)]
        if self._worker:
            lines += ["# TYPE segmodel_worker_info gauge", self._sample("segmodel_worker_info", 1, pid=os.getpid())]
        return "\n".join(lines) + "\n"

    def _sample(self, name: str, value: object, **labels: object) -> str:
        text = ",".join(f'{k}="{_escaped(str(v))}"' for k, v in {**labels, **self._worker}.items())
        return f"{name}{{{text}}} {value}" if text else f"{name} {value}"


class TimedRoute:
    """Middleware that lets :class:`Metrics` see every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            # Paths that are no route of ours share one name: strangers must not fill the memory with theirs.
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.observe(route, status, time.perf_counter() - start)


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
