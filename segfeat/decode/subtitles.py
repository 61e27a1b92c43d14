"""Words on screen that somebody wrote down: .srt and .vtt files, and embedded text tracks."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from segfeat.decode.base import Cue
from segfeat.decode.charsets import guess_encoding

if TYPE_CHECKING:
    from segfeat.decode.damage import Damage

AUTO = "auto"
"""The encoding of a subtitle file is found out."""

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?!\d)")
_ARROW = re.compile(r"^\s*\d\S*\s*-->")
"""A line of times, be they right or wrong."""

_NO_WORDS = re.compile(r"(NOTE|STYLE|REGION)\b")
"""How blocks of WebVTT begin that hold no words."""

_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_DRAWING = re.compile(r"\{[^{}]{0,200}\\p[1-9]\d*(?![a-z])[^{}]{0,200}\}.*?(?=\{[^{}]{0,200}\\p0|\Z)", re.DOTALL)
"""ASS: numbers and letters that draw a shape, up to where drawing ends."""

_ASS_FIELDS = 8
"""Of an event before its text."""

_MAX_BYTES = 20_000_000
"""A larger file is no subtitle file."""

_ADJOINING_S = 0.1
"""Cues of rolling captions follow one another without a longer gap."""

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_sidecar(path: Path, encoding: str = AUTO) -> list[Cue]:
    """Cues of an .srt or .vtt file by start; blocks that make no sense are left out.

    Parameters
    ----------
    path : path
    encoding : str
        A name that Python knows; ``auto``: the mark at the file's beginning decides, then what is likely.

    Raises
    ------
    ValueError
        If the encoding cannot be told, or the file is not in the one given.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        return parse_cues(_decode(file.read(_MAX_BYTES), encoding))


def parse_cues(text: str) -> list[Cue]:
    """Cues of SubRip or WebVTT text by start.

    A cue's words are the lines from its times to the next times, but for the number or name before those. Captions that
    roll (each cue repeats lines of the one before) give each line once.
    """
    blocks: list[tuple[re.Match[str] | None, list[str]]] = []
    for line in re.sub(r"\r*\n|\r", "\n", text).split("\n"):
        if _ARROW.match(line):
            blocks.append((_TIMING.match(line), []))
        elif blocks:
            blocks[-1][1].append(line)
    timed: list[_Timed] = []
    for number, (match, lines) in enumerate(blocks, start=1):
        if match is not None:
            words = [clean for line in _own(lines, number == len(blocks)) if (clean := _clean(line))]
            timed.append((_seconds(match.groups()[:4]), _seconds(match.groups()[4:]), words))
    return _unrolled(timed)


def span_text(cues: Iterable[Cue], start_s: float, end_s: float) -> str:
    """The words of all cues that overlap [start_s, end_s), by start, each text once, joined by spaces."""
    texts = [cue.text for cue in cues if cue.start_s < end_s and cue.end_s > start_s]
    return " ".join(dict.fromkeys(texts))


def read_cues(path: Path, start_s: Fraction, damage: Damage) -> list[Cue]:
    """Cues of the embedded text track by start; ``start_s`` is the first picture's time in the container."""
    import av
    from av.subtitles.subtitle import AssSubtitle

    from segfeat.decode.container import choose_text, open_container, packets

    timed: list[_Timed] = []
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
            events = [line.ass.decode("utf-8", "replace") for line in lines if isinstance(line, AssSubtitle)]
            words = [event.split(",", _ASS_FIELDS)[-1] for event in events]
            timed.append((begin_s, end_s, [c for w in words for part in _drawn(w) if (c := _clean(part))]))
    return _unrolled(timed)


_Timed = tuple[float, float, list[str]]
"""Start, end and lines of a cue."""


def _own(lines: list[str], last: bool) -> list[str]:
    """What of the lines up to the next times is a cue's own: no blocks of notes, nor the next cue's number or name."""
    end = len(lines)
    while last and end and not lines[end - 1].strip():
        end -= 1
    if end:
        apart, number = end > 1 and lines[end - 2] == "", lines[end - 1].strip().isdigit()
        if (apart and number) if last else (apart or number):
            end -= 1
    own: list[str] = []
    noting, before = False, "a line of times"
    for line in lines[:end]:
        noting = bool(line) and (noting or (before == "" and _NO_WORDS.match(line) is not None))
        if not noting:
            own.append(line)
        before = line
    return own


def _drawn(text: str) -> list[str]:
    """The lines of an ASS text, without drawings."""
    return re.split(r"\\[Nn]", _DRAWING.sub("", text))


def _unrolled(timed: Iterable[_Timed]) -> list[Cue]:
    """Cues by start, where a line that still stands from the cue before only makes that one longer."""
    cues: list[Cue] = []
    shown: list[str] = []
    shown_until_s = -1.0
    for start_s, end_s, lines in sorted(timed, key=lambda cue: cue[0]):
        if end_s <= start_s or not lines:
            continue
        kept = 0
        if start_s <= shown_until_s + _ADJOINING_S:
            kept = next((n for n in range(len(lines), 0, -1) if shown[-n:] == lines[:n]), 0)
        if kept == len(lines):
            cues[-1] = Cue(cues[-1].start_s, max(end_s, cues[-1].end_s), cues[-1].text)
        else:
            cues.append(Cue(start_s, end_s, " ".join(lines[kept:])))
        shown, shown_until_s = lines, end_s
    return cues


def _clean(line: str) -> str:
    text = html.unescape(_TAG.sub("", line).replace("\\N", " ").replace("\\n", " ").replace("\\h", " "))
    return " ".join(text.replace("\0", " ").split())


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _decode(data: bytes, encoding: str) -> str:
    """Text of a file; a mark at its beginning is right whatever else is said."""
    for mark, marked in _MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(marked, "replace")
    codec = guess_encoding(data) if encoding == AUTO else encoding
    if codec is None:
        raise ValueError("its encoding cannot be told; name it with --subtitle-encoding")
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not in {codec}") from error
