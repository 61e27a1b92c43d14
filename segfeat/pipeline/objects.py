"""Videos in object storage and on the web, through fsspec: which there are, and one of them as a local file.

Addresses are those that fsspec knows: ``s3://``, ``gs://``, ``hdfs://``, ``https://`` and others, each with its own
library. Credentials and endpoints are found as those libraries find them, in the environment or their own files.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from segfeat.decode.side_files import side_files
from segfeat.pipeline.sources import VIDEO_SUFFIXES, Scan, Source, apart
from segfeat.tables import as_ids, read_table

TRIES = 5
"""How often something is asked of a server that is busy or silent."""

FIRST_WAIT_S = 1.0
"""Before the second try; doubled after each, and never all clients at once."""

LONGEST_WAIT_S = 60.0

ASKING_THREADS = 16
"""Single addresses whose sizes are asked for at a time."""

UNKNOWN_TIME_NS = 1
"""When an object of which nobody says so has been changed."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class FetchFailed(Exception):
    """An object that cannot be had; ``code`` is a failure code of `segfeat.failures`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_url(path: str | Path) -> bool:
    """Whether something is an address and no path of this machine."""
    return isinstance(path, str) and _URL.match(path) is not None


def find_objects(
    urls: Sequence[str],
    manifest: str | Path | None = None,
    id_from: str = "stem",
    kept_root: str = "",
    taken: Mapping[str, str] | None = None,
) -> Scan:
    """List the videos below some addresses, and those that a manifest names.

    Parameters
    ----------
    urls : sequence of str
        What is below one is searched with everything below that; an object that is named itself is always taken.
    manifest : path, optional
        CSV or Parquet with a column ``url`` and, if ids are not to follow from names, ``video_id``.
    id_from : {"stem", "path"}
    kept_root : str
        What paths are relative to in a store that is added to; kept where everything lies below it.
    taken : mapping of id to path, optional
        Of the videos in that store.

    Raises
    ------
    ValueError
        If nothing is named or found, a library is missing, or no object has an id of its own.
    """
    if wrong := [url for url in urls if not is_url(url)]:
        raise ValueError(f"{wrong[0]}: files of this machine and addresses cannot be extracted together")
    found: dict[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {}
    ignored = 0
    tops: list[str] = []
    for url in urls:
        below, single, left = _below(url.rstrip("/"))
        tops.append(_folder(url) if single else url.rstrip("/"))
        found |= below
        ignored += left
    ids: dict[str, str] = {}
    if manifest is not None:
        ids = _read_manifest(Path(manifest))
        tops += [_folder(url) for url in ids]
        with ThreadPoolExecutor(ASKING_THREADS) as threads:
            found |= {url: (info, ()) for url, info in zip(ids, threads.map(_info, ids), strict=True)}
    if not tops:
        raise ValueError("no videos named")
    root = kept_root if kept_root and all(f"{url}/".startswith(f"{kept_root}/") for url in found) else _common(tops)
    sources = [
        _source(url, url.removeprefix(root).lstrip("/"), info, beside, id_from, ids.get(url, ""))
        for url, (info, beside) in found.items()
    ]
    return Scan(root, apart(sources, taken or {}), {}, ignored)


def fetch(source: Source, folder: Path, wait: Callable[[float], None] = time.sleep) -> Source:
    """An object and its side files as files of this machine, below ``folder``.

    Raises
    ------
    FetchFailed
        If it is gone or forbidden, has changed since it was listed, or its server stays busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [_name(source.file), *source.side_files]
    urls = [source.file, *(f"{_folder(source.file)}/{name}" for name in source.side_files)]
    for url, name in zip(urls, names, strict=True):
        _patiently(lambda url=url, name=name: _download(url, folder / name), source.path, wait)  # type: ignore[misc]
    local = folder / names[0]
    size_bytes = local.stat().st_size
    if source.size_bytes and size_bytes != source.size_bytes:
        raise FetchFailed("changed", f"{source.path}: {size_bytes:,} bytes, not {source.size_bytes:,} as when listed")
    os.utime(local, ns=(source.mtime_ns, source.mtime_ns))
    return replace(source, file=str(local), size_bytes=size_bytes)


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of an address, and what the address is called there.

    Raises
    ------
    ValueError
        If the library for such addresses is missing or unknown.
    """
    try:
        import fsspec

        fs, path = fsspec.url_to_fs(url)
    except ImportError as error:
        raise ValueError(
            f"{url}: needs a library that is not installed: pip install 'segfeat[s3]' for s3:// and https://, else the "
            f"one that fsspec names ({error})"
        ) from error
    except ValueError as error:
        raise ValueError(f"{url}: {error}") from error
    return fs, path


def _below(url: str) -> tuple[dict[str, tuple[Mapping[str, Any], tuple[str, ...]]], bool, int]:
    """What is below an address: objects with their side files, whether it is one itself, how many are no videos."""
    fs, path = filesystem(url)
    try:
        entries = _patiently(lambda: fs.find(path, detail=True), url, time.sleep)
    except FetchFailed as error:
        raise ValueError(f"{url}: {error}") from error
    infos = {fs.unstrip_protocol(name): info for name, info in entries.items() if info.get("type") != "directory"}
    if not infos:
        raise ValueError(f"{url}: no such object, and nothing below it")
    if url in infos:
        return {url: (infos[url], ())}, True, 0
    folders: dict[str, list[str]] = {}
    for name in infos:
        folders.setdefault(_folder(name), []).append(name)
    found: dict[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {}
    ignored = 0
    for members in folders.values():
        videos = {_name(member): member for member in members if _is_video(_name(member))}
        beside = side_files([_name(member) for member in members], videos)
        ignored += len(members) - len(videos) - len({name for taken in beside.values() for name in taken})
        found |= {member: (infos[member], beside.get(name, ())) for name, member in videos.items()}
    unsized = [name for name, (info, _) in found.items() if info.get("size") is None]
    with ThreadPoolExecutor(ASKING_THREADS) as threads:
        for name, info in zip(unsized, threads.map(_info, unsized), strict=True):
            found[name] = info, found[name][1]
    return found, False, ignored


def _info(url: str) -> Mapping[str, Any]:
    """What a server says about an object; nothing where it is gone: reading it will say so."""
    fs, path = filesystem(url)
    try:
        info: Mapping[str, Any] = _patiently(lambda: fs.info(path), url, time.sleep)
    except FetchFailed:
        return {"mtime": 0}
    return info


def _source(
    url: str, path: str, info: Mapping[str, Any], beside: tuple[str, ...], id_from: str, video_id: str
) -> Source:
    stem = os.path.splitext(_name(url))[0]
    return Source(
        video_id or (path if id_from == "path" else stem),
        path,
        url,
        int(info.get("size") or 0),
        _changed_ns(info),
        "",
        beside,
    )


def _changed_ns(info: Mapping[str, Any]) -> int:
    """When an object was changed, as its file system says it in one of several ways."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "modificationTime"):
        value = info.get(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(value, datetime):
            return round(value.timestamp() * 1000) * 1_000_000
        if isinstance(value, int | float):
            return round(value * 1000) * 1_000_000
    return UNKNOWN_TIME_NS


def _read_manifest(path: Path) -> dict[str, str]:
    """Addresses in their order, with the id of each, empty where it has none."""
    table = read_table(path, "manifest")
    if "url" not in table.columns:
        raise ValueError(f"{path}: missing column url; found {', '.join(map(str, table.columns))}")
    urls = as_ids(table["url"])
    ids = as_ids(table["video_id"]).fillna("") if "video_id" in table.columns else urls.map(lambda _: "")
    found = {url: name for url, name in zip(urls.tolist(), ids.tolist(), strict=True) if isinstance(url, str)}
    if wrong := [url for url in found if not is_url(url)]:
        raise ValueError(f"{path}: {wrong[0]!r} is no address such as s3://bucket/video.mp4")
    if not found:
        raise ValueError(f"{path}: the manifest names no video")
    return found


def _download(url: str, target: Path) -> None:
    fs, path = filesystem(url)
    fs.get_file(path, str(target))


def _patiently(ask: Callable[[], Any], what: str, wait: Callable[[float], None]) -> Any:
    """Ask a server, again and again while it is busy or out of reach."""
    pause_s = FIRST_WAIT_S
    for number in range(1, TRIES + 1):
        try:
            return ask()
        except Exception as error:  # each file system raises its own
            code = _judged(error)
            words = " ".join(str(error).split()) or type(error).__name__
            if code:
                raise FetchFailed(code, f"{what}: {words}") from error
            if number == TRIES:
                raise FetchFailed("unreadable", f"{what}: {words}, {TRIES} times") from error
            wait(max(_asked_to_wait_s(error), pause_s * random.uniform(0.5, 1.0)))
            pause_s = min(2 * pause_s, LONGEST_WAIT_S)
    return None


def _judged(error: BaseException) -> str:
    """The failure code of an error that will not pass; empty for one that may."""
    if isinstance(error, FileNotFoundError):
        return "not_found"
    if isinstance(error, PermissionError):
        return "unreadable"
    status = _status(error)
    if status in (404, 410):
        return "not_found"
    return "unreadable" if status is not None and 400 <= status < 500 and status not in (408, 425, 429) else ""


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error of one of the libraries carries."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return int(found) if found else None
    for holder in (error, response):
        for name in ("status", "status_code", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None


def _asked_to_wait_s(error: BaseException) -> float:
    """How long a server asks to be left alone, in seconds."""
    headers = getattr(error, "headers", None) or {}
    try:
        return min(float(headers.get("Retry-After", 0)), LONGEST_WAIT_S)
    except (TypeError, ValueError, AttributeError):
        return 0.0


def _common(folders: Sequence[str]) -> str:
    """The address that all lie below; empty where they are of different places."""
    parts = [folder.split("/") for folder in folders]
    same = takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    common = "/".join(column[0] for column in same)
    return common if is_url(common) and common.count("/") >= 2 and not common.endswith("/") else ""


def _folder(url: str) -> str:
    return url.rstrip("/").rpartition("/")[0]


def _name(url: str) -> str:
    """The last part of an address; of one on the web in plain letters and without what asks for it."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path) if parts.scheme in ("http", "https") else url).name


def _is_video(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES
