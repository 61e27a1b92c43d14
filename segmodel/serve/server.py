"""Running the application: sockets, signals and limits."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from segmodel.serve.app import create_app
from segmodel.serve.service import Service

_CONNECTIONS = 1000
_IDLE_S = 15
GRACE_S = 15
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


@dataclass(frozen=True)
class Listening:
    """What a server answers on, where it is one of several workers.

    Attributes
    ----------
    socket : socket
        Bound by the parent and shared by all workers.
    worker : int
        Number of this one.
    ready : callable
        Called once signals are obeyed and requests about to be answered.
    """

    socket: socket.socket
    worker: int
    ready: Callable[[], None]


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address; connections wait from when the first worker listens.

    Raises
    ------
    OSError
        If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise OSError(f"{host}:{port}: {error.strerror or error}") from error
    return made


def serve(
    service: Service,
    at: tuple[str, int] | Listening,
    keys: Sequence[str] = (),
    follow: Path | None = None,
) -> None:
    """Answer requests until told to stop; SIGTERM and SIGINT finish those in flight, SIGHUP reloads the run.

    Parameters
    ----------
    service : Service
        Closed at the end.
    at : (host, port) or Listening
    keys : sequence of str
    follow : path, optional
        A link to a run, to be reloaded whenever it points elsewhere.
    """
    shared = at if isinstance(at, Listening) else None
    host, port = ("", 0) if isinstance(at, Listening) else at
    config = uvicorn.Config(
        create_app(service, keys, shared.worker if shared else None),
        host=host,
        port=port,
        loop="asyncio",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
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
        if shared:
            shared.ready()
        uvicorn.Server(config).run([shared.socket] if shared else None)
    finally:
        service.close()
