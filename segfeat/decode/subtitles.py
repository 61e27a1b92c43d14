"""Words on screen: sidecar .srt and .vtt files, embedded text tracks, and the text of a span."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from segfeat.decode.base import Cue

if TYPE_CHECKING:
    from segfeat.decode.damage import Damage

SIDECAR_SUFFIXES = (".srt", ".vtt")

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_MAX_BYTES = 20_000_000
"""A larger sidecar is no subtitle file."""


def find_sidecar(path: Path) -> Path | None:
    """The subtitle file beside a video: the same stem with .srt or .vtt, in that order; None without one.

    A language tag in between (``clip.en.srt``) counts if there is no plain one; of several the first by name.
    """
    names = {entry.name.lower(): entry for entry in sorted(path.parent.iterdir(), reverse=True) if entry.is_file()}
    stem = path.stem.lower()
    for suffix in SIDECAR_SUFFIXES:
        if stem + suffix in names:
            return names[stem + suffix]
    tagged = re.compile(re.escape(stem) + r"\.[a-z]{2,3}(-[a-z0-9]{2,8})?(\.srt|\.vtt)")
    return next((names[name] for name in sorted(names) if tagged.fullmatch(name)), None)


def read_sidecar(path: Path) -> list[Cue]:
    """Cues of an .srt or .vtt file by start; blocks that make no sense are left out.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        return parse_cues(_decode(file.read(_MAX_BYTES)))


def parse_cues(text: str) -> list[Cue]:
    """Cues of SubRip or WebVTT text by start: every timing line and the lines up to the next blank or timing line."""
    cues: list[Cue] = []
    timing: tuple[float, float] | None = None
    words: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        match = _TIMING.match(line)
        if match is None and line.strip():
            words.append(line)
            continue
        if timing is not None:
            if match is not None and words and words[-1].strip().isdigit():
                words.pop()  # the next cue's number, where the blank line is missing
            cues += _cue(*timing, " ".join(words))
        timing = (_seconds(match.groups()[:4]), _seconds(match.groups()[4:])) if match else None
        words = []
    return sorted(cues, key=lambda cue: cue.start_s)


def span_text(cues: Iterable[Cue], start_s: float, end_s: float) -> str:
    """The words of all cues that overlap [start_s, end_s), by start, each text once, joined by spaces."""
    texts = [cue.text for cue in cues if cue.start_s < end_s and cue.end_s > start_s]
    return " ".join(dict.fromkeys(texts))


def read_cues(path: Path, start_s: Fraction, damage: Damage) -> list[Cue]:
    """Cues of the embedded text track by start; ``start_s`` is the first picture's time in the container."""
    import av
    from av.subtitles.subtitle import AssSubtitle

    from segfeat.decode.container import choose_text, open_container, packets

    cues: list[Cue] = []
    with open_container(path) as container:
        stream = choose_text(container)
        if stream is None:
            return []
        for packet in packets(container, stream, damage.note):
            if packet.pts is None or not packet.duration:
                continue
            try:
                lines = packet.decode()
            except av.FFmpegError as error:
                damage.note("subtitle packet that does not decode", error.strerror or str(error))
                continue
            begin_s = float(packet.pts * packet.time_base - start_s)
            end_s = begin_s + float(packet.duration * packet.time_base)
            text = " ".join(line.dialogue.decode("utf-8", "replace") for line in lines if isinstance(line, AssSubtitle))
            cues += _cue(begin_s, end_s, text)
    return sorted(cues, key=lambda cue: cue.start_s)


def _cue(start_s: float, end_s: float, text: str) -> list[Cue]:
    clean = html.unescape(_TAG.sub("", text).replace("\\N", " ").replace("\\n", " ").replace("\\h", " "))
    clean = " ".join(clean.replace("\0", " ").split())
    return [Cue(start_s, end_s, clean)] if clean and end_s > start_s else []


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _decode(data: bytes) -> str:
    """Text of unknown encoding: a byte order mark decides, then UTF-8, then Windows-1252 as most tools write it."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
