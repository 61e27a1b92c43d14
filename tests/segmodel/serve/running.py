"""A real server in processes of its own, and connections that stay with one of them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any


class Running:
    """A server in a process of its own."""

    def __init__(self, run: Path, journal: str | Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        start = [sys.executable, "-c", "from segfeat_cli.segmodel import main; main()", "serve"]
        self.process = subprocess.Popen(
            [*start, f"--run={run}", f"--journal={journal}", f"--port={self.port}", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4800):
            try:
                self.call("GET", "/healthz")
                return
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(self.process.communicate()[0]) from None
                time.sleep(0.05)
        raise AssertionError("the server did not start")

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def end(self) -> None:
        """Let nobody live on: of a parent that is killed the workers end by themselves."""
        self.process.kill()
        self.process.communicate()


class Connected:
    """A connection that is kept, and so stays with the worker that accepted it."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)
        found = re.search(r'segmodel_worker_info\{pid="(\d+)",worker="(\d+)"\} 1', self.text("/metrics"))
        assert found is not None
        self.pid, self.worker = int(found[1]), int(found[2])

    def text(self, path: str) -> str:
        self._connection.request("GET", path)
        return self._connection.getresponse().read().decode()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = json.dumps(body) if body else None
        self._connection.request(method, path, text, {"Content-Type": "application/json"})
        reply = self._connection.getresponse()
        assert self._connection.sock is not None, "the server must keep the connection"
        return reply.status, json.loads(reply.read())


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end; a worker needs seconds to start, on a busy machine many."""
    for _ in range(2400):
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("never came")
