"""The pages for people: one to try the server, one that describes its interface. They ask nobody but the server."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

_FOLDER = Path(__file__).parent

_FILES = {
    "index.html": (_FOLDER / "index.html", "text/html"),
    "docs.html": (_FOLDER / "docs.html", "text/html"),
    "try.js": (_FOLDER / "try.js", "text/javascript"),
    "docs.js": (_FOLDER / "docs.js", "text/javascript"),
    "style.css": (_FOLDER / "style.css", "text/css"),
    # The pages look like the report because they use its style sheet.
    "report.css": (_FOLDER.parents[1] / "style.css", "text/css"),
}

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> Response:
    """Try it: a user, some videos, heat strips."""
    return _file("index.html")


@router.get("/docs")
def docs() -> Response:
    """The OpenAPI document, readable."""
    return _file("docs.html")


@router.get("/pages/{name}")
def page_file(name: str) -> Response:
    """What the pages are made of."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404, "no such page")
    path, kind = _FILES[name]
    return Response(path.read_bytes(), media_type=kind, headers=_HEADERS)
