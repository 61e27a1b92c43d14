"""Latency, throughput, errors and memory of `segmodel serve` under load from another process.

    python benchmarks/serve.py [--run RUN] [--store STORE] [--seconds N] [--clients N] [--events SHARE]

Starts a server with a journal of its own, then lets clients ask for 100 and then for 500 random videos of random users
(or for all the videos of a store that has fewer), each as fast as it is answered, over kept connections. A share of the
requests report a view instead. The first seconds of each round warm up and are not counted; memory is the server's
resident set after them and at the end, CPU its own time per question (both on Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

CANDIDATES = (100, 500)
WARM_UP_S = 5.0
TARGET_P99_MS = {100: 50.0, 500: 200.0}

_NOW_MS = 2_000_000_000_000
"""Reported views are later than any log's."""


@dataclass
class Tally:
    """What one client, or all of them, saw."""

    asked_ms: list[float] = field(default_factory=list)
    reported_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/latest"))
    parser.add_argument("--store", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--events", type=float, default=0.02)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [sys.executable, "-c", "from segfeat_cli.segmodel import main; main()", "serve"]
        command += [f"--run={options.run}", f"--port={port}", f"--journal={folder}/journal.sqlite"]
        command += [f"--store={options.store}"] if options.store else []
        server = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            known = _wait(port, server)
            print(f"{'videos':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'asked/s':>8} {'event p99':>9} "
                  f"{'CPU ms':>7} {'errors':>6} {'MiB':>7} {'grown':>7}  target")  # fmt: skip
            failed = [_round(server.pid, port, n, known, options) for n in CANDIDATES]
        finally:
            server.terminate()
            code = server.wait(30)
    print(f"server ended with {code}")
    return int(any(failed) or code != 0)


def _round(pid: int, port: int, candidates: int, known: Mapping[str, Sequence[str]], options: Any) -> bool:
    warm, end = time.monotonic() + WARM_UP_S, time.monotonic() + WARM_UP_S + options.seconds
    tallies = [Tally() for _ in range(options.clients)]
    clients = [
        threading.Thread(target=_client, args=(port, candidates, known, options.events, i, warm, end, tally))
        for i, tally in enumerate(tallies)
    ]
    for client in clients:
        client.start()
    time.sleep(WARM_UP_S)
    before, cpu_s = _resident_mib(pid), _cpu_s(pid)
    for client in clients:
        client.join()
    after, cpu_s = _resident_mib(pid), _cpu_s(pid) - cpu_s
    asked = sorted(ms for t in tallies for ms in t.asked_ms)
    reported = sorted(ms for t in tallies for ms in t.reported_ms)
    errors = [e for t in tallies for e in t.errors]
    rate, p99 = len(asked) / options.seconds, _quantile(asked, 0.99)
    target = TARGET_P99_MS[candidates]
    cpu_ms = 1000 * cpu_s / max(1, len(asked))
    videos = min(candidates, len(known["videos"]))
    missed = p99 > target or bool(errors) or (candidates == CANDIDATES[0] and rate < 100)
    print(
        f"{videos:>6} {_quantile(asked, 0.5):8.1f} {p99:8.1f} {asked[-1]:8.1f} {rate:8.1f} "
        f"{_quantile(reported, 0.99):9.1f} {cpu_ms:7.1f} {len(errors):>6} {after:7.1f} {after - before:+7.1f}  "
        f"p99 <= {target:g} ms{' and >= 100/s' if candidates == CANDIDATES[0] else ''}: {'missed' if missed else 'met'}"
    )
    for error in sorted(set(errors))[:5]:
        print(f"  {errors.count(error)} x {error}")
    return missed


def _client(
    port: int,
    candidates: int,
    known: Mapping[str, Sequence[str]],
    events: float,
    number: int,
    warm: float,
    end: float,
    tally: Tally,
) -> None:
    chance = random.Random(number)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    sent = 0
    while (now := time.monotonic()) < end:
        user = chance.choice(known["users"])
        if chance.random() < events:
            sent += 1
            event = {"user_id": user, "video_id": chance.choice(known["videos"]), "watch_ms": 3000}
            path, body, times = "/v1/events", {**event, "time_ms": _NOW_MS + sent}, tally.reported_ms
        else:
            videos = chance.sample(known["videos"], min(candidates, len(known["videos"])))
            path, body, times = "/v1/predict-skip", {"user_id": user, "video_ids": videos}, tally.asked_ms
        text = json.dumps(body)
        start = time.perf_counter()
        try:
            connection.request("POST", path, text, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            content = reply.read()
            wrong = f"{reply.status} {content[:100]!r}" if reply.status >= 300 else ""
        except (OSError, HTTPException) as error:
            connection.close()
            wrong = repr(error)
        if now < warm:
            continue
        if wrong:
            tally.errors.append(wrong)
        else:
            times.append((time.perf_counter() - start) * 1000)


def _wait(port: int, server: subprocess.Popen[bytes]) -> dict[str, list[str]]:
    """Users and videos of the server, once it is up."""
    for _ in range(240):
        if server.poll() is not None:
            raise SystemExit("the server did not start")
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/v1/catalog?limit=1000")
            found: dict[str, list[str]] = json.loads(connection.getresponse().read())
            return found
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the server did not answer in two minutes")


def _resident_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else float("nan")


def _cpu_s(pid: int) -> float:
    """Processor time the server has used, which other programs on the machine do not change much."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


if __name__ == "__main__":
    sys.exit(main())
