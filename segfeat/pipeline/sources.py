"""Which files there are: the sorted list of sources that every later step follows."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segfeat.decode.side_files import side_files

VIDEO_SUFFIXES = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mkv",
        ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts",
        ".vob", ".webm", ".wmv", ".y4m",
    }
)  # fmt: skip
"""What counts as a video inside a folder; a file that is named itself is always taken."""


@dataclass(frozen=True)
class Source:
    """A file to be read.

    Attributes
    ----------
    video_id : str
    path : str
        Relative to the root.
    file : str
        Where to open it.
    size_bytes, mtime_ns : int
        As found while scanning; 0 where the file was gone.
    title : str
        Words from the metadata.
    side_files : tuple of str
        Names of the subtitle files beside it, best first.
    pictures_only : bool
        Whether its sound and words are left alone, as reading them has failed.
    clash : str
        Which other files would have its id, so that none of them gets it; empty where it is the only one.
    """

    video_id: str
    path: str
    file: str
    size_bytes: int
    mtime_ns: int
    title: str = ""
    side_files: tuple[str, ...] = ()
    pictures_only: bool = False
    clash: str = ""

    @property
    def there(self) -> bool:
        """Whether there was such a file as it was looked for."""
        return bool(self.size_bytes or self.mtime_ns)


@dataclass(frozen=True)
class Scan:
    """What was found: sources by path, folders that could not be listed with the reason, and files left alone.

    The root is an address where the sources are objects elsewhere.
    """

    root: Path | str
    sources: tuple[Source, ...]
    unlisted: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0


def common_root(paths: Sequence[str | Path]) -> Path:
    """The folder that holds everything named: a single folder itself, else what all have in common.

    Raises
    ------
    ValueError
        If nothing is named or a path does not exist.
    """
    if not paths:
        raise ValueError("no videos named")
    missing = [str(p) for p in paths if not os.path.lexists(p)]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ValueError(f"{missing[0]}: no such file or folder{more}")
    return shared_folder(paths)


def shared_folder(paths: Sequence[str | Path]) -> Path:
    """What `common_root` gives, whether or not everything that is named is there."""
    folders = {os.path.abspath(p) if os.path.isdir(p) else os.path.dirname(os.path.abspath(p)) for p in paths}
    return Path(os.path.commonpath(folders))


def scan(
    paths: Sequence[str | Path], root: Path, id_from: str = "stem", taken: Mapping[str, str] | None = None
) -> Scan:
    """List all videos below the given files and folders.

    Parameters
    ----------
    paths : files or folders
        Folders are searched with all their sub-folders, links included; files are taken whatever their suffix, and
        even if they are not there: reading them will say so.
    root : absolute path
        Source paths are relative to it.
    id_from : {"stem", "path"}
    taken : mapping of id to path, optional
        Of the videos in a store that exists already.

    Raises
    ------
    ValueError
        If no file is left, as each would get the id of another one; the message names two.
    """
    found: dict[str, tuple[str, ...]] = {}
    unlisted: dict[str, str] = {}
    ignored = 0
    single: dict[str, list[str]] = {}
    for given in map(os.path.abspath, paths):
        if not os.path.isdir(given):
            single.setdefault(os.path.dirname(given), []).append(os.path.basename(given))
            continue
        for folder, names, below, reason in _walk(given):
            if reason:
                unlisted[os.path.relpath(folder, root)] = reason
            videos = [name for name in names if _is_video(name)]
            if _is_video(os.path.basename(folder)) and not (videos or below or reason or folder == given):
                found[folder] = ()  # nothing but its name is that of a video, and it says so as it is read
            beside = side_files(names, videos)
            ignored += len(names) - len(videos) - len({name for taken in beside.values() for name in taken})
            found.update((os.path.join(folder, name), beside.get(name, ())) for name in videos)
    for folder, chosen in single.items():
        names = _names(folder)
        beside = side_files(names, {*filter(_is_video, names), *chosen})
        found.update((os.path.join(folder, name), beside.get(name, ())) for name in chosen)
    sources = [_source(file, os.path.relpath(file, root), id_from, beside) for file, beside in found.items()]
    return Scan(root, apart(sources, taken or {}), unlisted, ignored)


def apart(sources: Sequence[Source], taken: Mapping[str, str]) -> tuple[Source, ...]:
    """The sources by their paths; those that share an id, with one another or with a video of a store, say so.

    Raises
    ------
    ValueError
        If there is no store yet, and each source would get the id of another one; the message names two.
    """
    found = _apart(sorted(sources, key=lambda s: s.path), taken)
    if not taken and found and all(source.clash for source in found):
        raise ValueError(found[0].clash)
    return tuple(found)


def _apart(sources: Sequence[Source], taken: Mapping[str, str]) -> list[Source]:
    """The sources; those that share an id, with one another or with a video of a store, say so."""
    owners: dict[str, list[str]] = {}
    for source in sources:
        if source.there:
            owners.setdefault(source.video_id, []).append(source.path)
    for video_id, path in taken.items():
        if video_id in owners and path not in owners[video_id]:
            owners[video_id].insert(0, path)
    clashes = {video_id: _clash(video_id, paths) for video_id, paths in owners.items() if len(paths) > 1}
    return [replace(source, clash=clashes.get(source.video_id, "") if source.there else "") for source in sources]


def _clash(video_id: str, paths: Sequence[str]) -> str:
    if len(paths) == 2:
        named = f"two files would both be video {video_id!r}: {paths[0]} and {paths[1]}"
    else:
        named = f"{len(paths):,} files would all be video {video_id!r}, such as {paths[0]} and {paths[1]}"
    return f"{named}; use --id path to name videos by their path"


def read_list(path: str | Path) -> list[str]:
    """Paths from a text file, one a line; relative ones start at the list's folder. Empty lines and # are skipped.

    Read are lists in UTF-8, or whatever file names are in, in UTF-16 with a mark, and what ``find -print0`` writes.

    Raises
    ------
    ValueError
        If the list cannot be read or names nothing.
    """
    try:
        text = _decoded(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot read the list: {error.strerror}") from error
    folder = os.path.dirname(os.path.abspath(path))
    lines = text.replace("\0", "\n").replace("\r", "\n").split("\n")  # splitlines would cut at odd characters of names
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        raise ValueError(f"{path}: the list names no video")
    return [os.path.join(folder, name) for name in names]


def _decoded(data: bytes) -> str:
    """A list of file names; a mark at its beginning is no character of it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return os.fsdecode(data.removeprefix(codecs.BOM_UTF8))


def _source(file: str, path: str, id_from: str, beside: tuple[str, ...]) -> Source:
    try:
        stat = os.stat(file)
        size_bytes, mtime_ns = stat.st_size, stat.st_mtime_ns
    except (OSError, ValueError):
        size_bytes = mtime_ns = 0  # gone or not ours to see: reading it will say which
    stem = os.path.splitext(os.path.basename(path))[0]
    return Source(path if id_from == "path" else stem, path, file, size_bytes, mtime_ns, "", beside)


def _walk(top: str) -> Iterator[tuple[str, list[str], list[str], str]]:
    """Every folder below ``top`` with its files, its folders and, if it cannot be listed, the reason.

    Linked folders come once each.
    """
    seen = {os.path.realpath(top)}
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    (folders if entry.is_dir() else files).append(entry.name)
        except OSError as error:
            yield folder, [], [], error.strerror or str(error)
            continue
        yield folder, files, folders, ""
        for name in sorted(folders):
            path = os.path.join(folder, name)
            if name.startswith(".") or (real := os.path.realpath(path)) in seen:
                continue
            seen.add(real)
            waiting.append(path)


def _is_video(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
