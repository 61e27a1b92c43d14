"""Running the application: sockets, signals and limits."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from segmodel.serve.app import create_app
from segmodel.serve.service import Service

_CONNECTIONS = 1000
_IDLE_S = 15
_GRACE_S = 15
"""How long requests in flight may take once the server is told to stop."""


def read_keys(path: Path) -> list[str]:
    """The keys of a file with one key per line.

    Raises
    ------
    ValueError
        If there is none, or one that no HTTP header can carry.
    """
    keys = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not keys:
        raise ValueError(f"{path}: no key; it must have one key per line")
    if wrong := [i for i, key in enumerate(keys, 1) if not key.isascii() or not key.isprintable() or " " in key]:
        raise ValueError(f"{path}: key {wrong[0]} has characters other than printable ASCII without spaces")
    return keys


def serve(service: Service, host: str, port: int, keys: Sequence[str] = (), follow: Path | None = None) -> None:
    """Answer requests until told to stop; SIGTERM and SIGINT finish those in flight, SIGHUP reloads the run.

    Parameters
    ----------
    service : Service
        Closed at the end.
    host, port : str, int
    keys : sequence of str
    follow : path, optional
        A link to a run, to be reloaded whenever it points elsewhere.
    """
    config = uvicorn.Config(
        create_app(service, keys),
        host=host,
        port=port,
        loop="asyncio",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )

    def reload(number: int, frame: FrameType | None) -> None:
        service.reload_soon()

    def stop(number: int, frame: FrameType | None) -> None:
        """Called by uvicorn at the end with the signal it has obeyed: stopping on request is no failure."""
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, reload)
    if follow is not None:
        service.follow(follow)
    try:
        uvicorn.Server(config).run()
    finally:
        service.close()
