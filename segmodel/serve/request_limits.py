"""How much body a request may have, and how long it may take to come."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 1_000_000
_READ_BYTES = 16 * MAX_BYTES
"""A body too long is read up to here, so that an ordinary client hears why instead of a broken connection."""

MAX_WAIT_S = 10.0


class WholeBody:
    """Middleware that reads the body before anything else happens; 413 where it is too long, 408 where too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(receive), MAX_WAIT_S)
        except asyncio.TimeoutError:  # another class until Python 3.11
            await _refuse(408, f"the request did not arrive within {MAX_WAIT_S:g} s")(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > MAX_BYTES:
            await _refuse(413, f"the request has more than {MAX_BYTES:,} bytes")(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    """The body, of one that is too long any part that is too long as well; None if the client has left."""
    body, read = bytearray(), 0
    while read <= _READ_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        read += len(chunk)
        if len(body) <= MAX_BYTES:
            body += chunk
        if not message.get("more_body"):
            break
    return bytes(body)


def _refuse(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status, headers={"Connection": "close"})
